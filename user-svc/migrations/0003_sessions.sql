-- Refresh tokens of a session: one is good, the others were used. A used one that comes again says that
-- somebody has a copy.
CREATE TABLE refresh_tokens (
    -- SHA-256 of the token; the token itself is nowhere.
    token_hash bytea NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY
        CONSTRAINT refresh_tokens_token_hash_size CHECK (octet_length(token_hash) = 32),
    session_id uuid NOT NULL CONSTRAINT refresh_tokens_session_fkey REFERENCES sessions (id),
    issued_at timestamptz NOT NULL,
    replaced_at timestamptz,
    -- The next token, sealed, so that whoever lost the answer gets the same one. Emptied when that is used.
    sealed_successor bytea,
    CONSTRAINT refresh_tokens_successor_of_a_used_one
        CHECK (sealed_successor IS NULL OR replaced_at IS NOT NULL)
);

CREATE UNIQUE INDEX refresh_tokens_one_good ON refresh_tokens (session_id) WHERE replaced_at IS NULL;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

INSERT INTO refresh_tokens (token_hash, session_id, issued_at)
SELECT refresh_token_hash, id, created_at FROM sessions;

-- The version before still writes the hash here.
ALTER TABLE sessions ALTER COLUMN refresh_token_hash DROP NOT NULL;
ALTER TABLE sessions ADD COLUMN network text;
ALTER TABLE sessions ADD COLUMN user_agent text;
ALTER TABLE sessions ADD COLUMN revoked_because text
    CONSTRAINT sessions_revoked_because_known CHECK (revoked_because IN
        ('logout', 'revoked', 'reuse', 'password', 'second_factor', 'disabled'));

-- What verifiers must know of: few rows, and young ones.
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- Tokens of an older generation are refused. It counts up when an account's rights change.
ALTER TABLE users ADD COLUMN token_generation int NOT NULL DEFAULT 0
    CONSTRAINT users_token_generation_positive CHECK (token_generation >= 0);
ALTER TABLE users ADD COLUMN token_generation_at timestamptz;
CREATE INDEX users_token_generation_raised ON users (token_generation_at)
    WHERE token_generation_at IS NOT NULL;
