-- The picture of an event: a name in the gateway's store, and what pages need before it is loaded.
ALTER TABLE events
    -- SHA-256 in hex; NULL: it has none.
    ADD COLUMN image_key    text CONSTRAINT events_image_key_is_a_digest CHECK (image_key ~ '^[0-9a-f]{64}$'),
    -- Of the largest size that is stored.
    ADD COLUMN image_width  int CONSTRAINT events_image_width_in_limits CHECK (image_width BETWEEN 1 AND 10000),
    ADD COLUMN image_height int CONSTRAINT events_image_height_in_limits CHECK (image_height BETWEEN 1 AND 10000),
    -- What it shows, for who cannot see it.
    ADD COLUMN image_alt    text NOT NULL DEFAULT '',
    ADD CONSTRAINT events_image_is_whole
        CHECK ((image_key IS NULL) = (image_width IS NULL) AND (image_key IS NULL) = (image_height IS NULL)),
    ADD CONSTRAINT events_image_alt_has_image CHECK (image_key IS NOT NULL OR image_alt = '');
