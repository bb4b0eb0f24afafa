-- News of an event for whoever a ticket of it was handed to.
ALTER TABLE notifications DROP CONSTRAINT notifications_kind;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_kind CHECK (kind IN (
        'receipt', 'unfulfillable', 'refunded', 'cancelled', 'postponed', 'reminder',
        'awaiting_transfer', 'ticket_transferred', 'ticket_news', 'lookup_code', 'admin_invitation',
        'password_reset'));
ALTER TABLE template_versions DROP CONSTRAINT template_versions_kind;
ALTER TABLE template_versions
    ADD CONSTRAINT template_versions_kind CHECK (kind IN (
        'receipt', 'unfulfillable', 'refunded', 'cancelled', 'postponed', 'reminder',
        'awaiting_transfer', 'ticket_transferred', 'ticket_news', 'lookup_code', 'admin_invitation',
        'password_reset'));
