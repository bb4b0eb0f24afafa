-- The span that caused the stored work (W3C traceparent), so that what comes of it later hangs below
-- it in the same trace. NULL: the work is a trace of its own.
ALTER TABLE orders ADD COLUMN traceparent text;
ALTER TABLE provider_events ADD COLUMN traceparent text;
