-- A code may be presented with the address it was sent to, instead of with its request. The address is a keyed hash,
-- as in desk_limits; NULL in a row of an earlier version.
ALTER TABLE lookups
    ADD COLUMN address_hash        bytea
        CONSTRAINT lookups_address_hash CHECK (octet_length(address_hash) = 32),
    -- Counted apart: whoever knows an address could else use up the tries of who asked.
    ADD COLUMN attempts_by_address int NOT NULL DEFAULT 0
        CONSTRAINT lookups_attempts_by_address CHECK (attempts_by_address >= 0);
CREATE INDEX lookups_by_address ON lookups (address_hash) WHERE used_at IS NULL;
