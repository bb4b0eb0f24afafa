-- Four kinds now. `content` is the encoded message of boxoffice.event.v1 that its `kind` names:
-- OrderPaid, OrderUnfulfillable, OrderRefunded or OrderCancelled. `revision` counts from 0 within
-- the kind; each refund of an order has its own, one less than the refund's number.
ALTER TABLE notifications
    ADD CONSTRAINT notifications_kind
        CHECK (kind IN ('receipt', 'unfulfillable', 'refunded', 'cancelled'));

-- Receipts are sent before everything else that is due: a cancelled event is thousands of mails at
-- once, and who just bought waits for none of them.
DROP INDEX notifications_due;
CREATE INDEX notifications_due ON notifications ((kind <> 'receipt'), next_attempt_at)
    WHERE status IN ('queued', 'sending');
