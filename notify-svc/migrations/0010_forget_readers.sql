-- Codes and links are about no order, so no guest's erasure finds them: a job does, once they are over.
CREATE INDEX notifications_of_no_order ON notifications (kind, created_at)
    WHERE order_id IS NULL AND status IN ('sent', 'failed', 'bounced');
