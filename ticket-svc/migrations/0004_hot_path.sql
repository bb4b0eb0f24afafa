-- What a rush on one ticket type needs: nothing per hold that its statement has proved already, and
-- one number that says whether a process still knows what is on sale.

-- Four checks per hold, at nearly three times the cost of its rows (docs/decisions/0015). The
-- statement that makes a hold inserts only ids of pools that it has locked, and of the events and
-- types that these pools are locked for.
ALTER TABLE holds DROP CONSTRAINT holds_event_id_fkey;
ALTER TABLE hold_lines
    DROP CONSTRAINT hold_lines_hold_id_fkey,
    DROP CONSTRAINT hold_lines_ticket_type_id_fkey;
ALTER TABLE inventory_ledger DROP CONSTRAINT inventory_ledger_pool_id_fkey;

-- The other half of those checks stays: what was ever held or sold cannot be deleted. Whoever
-- deletes a pool has its row by then, so no hold of it is under way.
CREATE FUNCTION pool_is_unused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM inventory_ledger WHERE pool_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = 'the ledger knows this pool', CONSTRAINT = 'inventory_ledger_pool_id_fkey';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER pools_only_unused_deleted BEFORE DELETE ON pools
    FOR EACH ROW EXECUTE FUNCTION pool_is_unused();

-- Every hold is without an order at first: no entry until it has one.
ALTER TABLE holds DROP CONSTRAINT holds_order_id_key;
CREATE UNIQUE INDEX holds_order_id_key ON holds (order_id) WHERE order_id IS NOT NULL;

-- Counts the changes of what is on sale from a pool: of its event, its types and what they draw
-- from. Who holds tickets locks the pools and compares, so a sale that was changed, paused or
-- cancelled is never sold as it was before, whoever changed it and by whichever way.
ALTER TABLE pools
    ADD COLUMN generation bigint NOT NULL DEFAULT 1,
    -- Room for the newest version of a hot row beside the old one.
    SET (fillfactor = 50);

-- In the order of their ids, as everybody locks pools.
CREATE FUNCTION bump_pools(event uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM id FROM pools WHERE event_id = event ORDER BY id FOR UPDATE;
    UPDATE pools SET generation = generation + 1 WHERE event_id = event;
END $$;

-- Whatever a hold is decided on. A new title is nobody's hurry and waits for no pool.
CREATE FUNCTION event_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_pools(NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER events_change_the_sale AFTER UPDATE ON events FOR EACH ROW
    WHEN ((OLD.status, OLD.date_time, OLD.currency, OLD.fee_mode, OLD.fee_fixed_minor, OLD.fee_rate_ppm)
          IS DISTINCT FROM
          (NEW.status, NEW.date_time, NEW.currency, NEW.fee_mode, NEW.fee_fixed_minor, NEW.fee_rate_ppm))
    EXECUTE FUNCTION event_changed();

-- A new type is in nobody's memory, and whoever meets its id reads it.
CREATE FUNCTION ticket_type_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_pools(OLD.event_id);
    RETURN NULL;
END $$;
CREATE TRIGGER ticket_types_change_the_sale AFTER UPDATE OR DELETE ON ticket_types
    FOR EACH ROW EXECUTE FUNCTION ticket_type_changed();

CREATE FUNCTION draws_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bump_pools(event_id) FROM ticket_types
    WHERE id = COALESCE(NEW.ticket_type_id, OLD.ticket_type_id);
    RETURN NULL;
END $$;
CREATE TRIGGER ticket_type_pools_change_the_sale AFTER INSERT OR UPDATE OR DELETE ON ticket_type_pools
    FOR EACH ROW EXECUTE FUNCTION draws_changed();
