-- The sandbox as a whole provider: every way a card can end, refunds, and a ledger of its own. Its rules
-- are its own too, so that a mistake on our side is refused there as a real provider would refuse it.

--   open ──► approval ──► succeeded, or open again
--     ├────► pending ───► succeeded | closed
--     └────► succeeded | closed
ALTER TABLE sandbox.sessions
    DROP CONSTRAINT sessions_status_check,
    ADD CONSTRAINT sessions_status CHECK (status IN ('open', 'approval', 'pending', 'succeeded', 'closed')),
    -- The name of the money, once it is there.
    ADD COLUMN charge         text    GENERATED ALWAYS AS ('ch_' || md5(reference)) STORED CONSTRAINT sessions_charge_key UNIQUE,
    -- What the card decided: whether a pending payment can be closed, and how its refunds end.
    ADD COLUMN closes         boolean NOT NULL DEFAULT true,
    ADD COLUMN refunds_end    text    NOT NULL DEFAULT 'at_once'
        CONSTRAINT sessions_refunds_end CHECK (refunds_end IN ('at_once', 'late', 'failed')),
    -- The sum of its refunds that have not failed; kept by a trigger.
    ADD COLUMN refunded_minor bigint  NOT NULL DEFAULT 0
        CONSTRAINT sessions_refunded_at_most_captured CHECK (
            refunded_minor BETWEEN 0 AND CASE WHEN status = 'succeeded' THEN amount_minor ELSE 0 END);

-- A row without a key was made by hand at the provider, as its dashboard would.
CREATE TABLE sandbox.refunds (
    reference    text   NOT NULL CONSTRAINT refunds_pkey PRIMARY KEY,
    -- The caller's key: the same key is the same refund.
    caller_key   text   CONSTRAINT refunds_caller_key UNIQUE,
    session      text   NOT NULL CONSTRAINT refunds_session_fkey REFERENCES sandbox.sessions,
    amount_minor bigint NOT NULL CONSTRAINT refunds_amount CHECK (amount_minor > 0),
    currency     text   NOT NULL,
    status       text   NOT NULL DEFAULT 'succeeded'
                 CONSTRAINT refunds_status CHECK (status IN ('pending', 'succeeded', 'failed')),
    -- Why it failed.
    reason       text,
    -- When a pending one succeeds.
    due_at       timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    CONSTRAINT refunds_due CHECK (status <> 'pending' OR due_at IS NOT NULL),
    CONSTRAINT refunds_failed_for_a_reason CHECK ((status = 'failed') = (reason IS NOT NULL))
);
CREATE INDEX refunds_by_session ON sandbox.refunds (session);
CREATE INDEX refunds_by_created ON sandbox.refunds (created_at);
CREATE INDEX refunds_by_due ON sandbox.refunds (due_at) WHERE status = 'pending';

CREATE FUNCTION sandbox.count_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before bigint := CASE WHEN TG_OP = 'UPDATE' AND OLD.status <> 'failed' THEN OLD.amount_minor ELSE 0 END;
    after  bigint := CASE WHEN NEW.status <> 'failed' THEN NEW.amount_minor ELSE 0 END;
BEGIN
    IF before <> after THEN
        UPDATE sandbox.sessions SET refunded_minor = refunded_minor + after - before WHERE reference = NEW.session;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refunds_count AFTER INSERT OR UPDATE ON sandbox.refunds
    FOR EACH ROW EXECUTE FUNCTION sandbox.count_refund();

-- Money that moved: one row per charge (what came) and per refund that succeeded (negative: what went
-- back), written by triggers so that nothing moves without it.
CREATE TABLE sandbox.ledger (
    id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT ledger_pkey PRIMARY KEY,
    session      text   NOT NULL CONSTRAINT ledger_session_fkey REFERENCES sandbox.sessions,
    -- The charge or the refund: each moves money once.
    reference    text   NOT NULL CONSTRAINT ledger_reference_key UNIQUE,
    amount_minor bigint NOT NULL CONSTRAINT ledger_amount CHECK (amount_minor <> 0),
    currency     text   NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ledger_by_session ON sandbox.ledger (session);

CREATE FUNCTION sandbox.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON sandbox.ledger
    FOR EACH ROW EXECUTE FUNCTION sandbox.append_only();

CREATE FUNCTION sandbox.book_charge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sandbox.ledger (session, reference, amount_minor, currency)
    VALUES (NEW.reference, NEW.charge, NEW.amount_minor, NEW.currency);
    RETURN NULL;
END $$;
CREATE TRIGGER sessions_book AFTER UPDATE ON sandbox.sessions FOR EACH ROW
    WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded') EXECUTE FUNCTION sandbox.book_charge();

CREATE FUNCTION sandbox.book_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.status <> 'succeeded' THEN
        INSERT INTO sandbox.ledger (session, reference, amount_minor, currency)
        VALUES (NEW.session, NEW.reference, -NEW.amount_minor, NEW.currency);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refunds_book AFTER INSERT OR UPDATE ON sandbox.refunds FOR EACH ROW
    WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION sandbox.book_refund();

INSERT INTO sandbox.ledger (session, reference, amount_minor, currency, at)
SELECT reference, charge, amount_minor, currency, coalesce(settled_at, created_at)
FROM sandbox.sessions WHERE status = 'succeeded';

-- What a bad network did to a webhook: it was never sent, or is sent so many times more.
ALTER TABLE sandbox.deliveries
    ADD COLUMN lost_at timestamptz,
    ADD COLUMN copies  int NOT NULL DEFAULT 0 CONSTRAINT deliveries_copies CHECK (copies >= 0);
DROP INDEX sandbox.deliveries_open;
CREATE INDEX deliveries_open ON sandbox.deliveries (next_attempt_at) WHERE delivered_at IS NULL AND lost_at IS NULL;
