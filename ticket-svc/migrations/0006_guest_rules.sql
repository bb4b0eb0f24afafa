-- How guests may cancel what they have paid.
ALTER TABLE events
    -- Until so many hours before the event begins; NULL: they may not.
    ADD COLUMN cancel_until_hours int CONSTRAINT events_cancel_until_hours_in_limits
        CHECK (cancel_until_hours BETWEEN 0 AND 8760),
    -- Parts per million of the money that are kept.
    ADD COLUMN cancel_fee_ppm     int NOT NULL DEFAULT 0 CONSTRAINT events_cancel_fee_in_limits
        CHECK (cancel_fee_ppm BETWEEN 0 AND 1000000),
    ADD CONSTRAINT events_cancel_fee_has_rule CHECK (cancel_until_hours IS NOT NULL OR cancel_fee_ppm = 0);
