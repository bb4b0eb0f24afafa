-- The span that received the message (W3C traceparent): the mail hangs below it in the same trace.
ALTER TABLE notifications ADD COLUMN traceparent text;
