-- Accounts of admins. Guests have none.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- As its owner typed it.
    email text NOT NULL,
    -- The address in lower case: one account per mailbox, however it is typed.
    email_key text NOT NULL CONSTRAINT users_email_key_unique UNIQUE,
    -- bcrypt of the peppered password.
    password_hash text NOT NULL,
    -- The pepper it was made with, so that a rotation leaves passwords valid.
    pepper_key_id text NOT NULL,
    role text NOT NULL CONSTRAINT users_role_known CHECK (role IN ('admin', 'superadmin')),
    status text NOT NULL DEFAULT 'active'
        CONSTRAINT users_status_known CHECK (status IN ('active', 'disabled')),
    -- True for the account that the setup token made.
    founder boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);

-- Of two racing setups one meets this index.
CREATE UNIQUE INDEX users_one_founder ON users (founder) WHERE founder;

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    -- SHA-256 of the refresh token; the token itself is nowhere.
    refresh_token_hash bytea NOT NULL CONSTRAINT sessions_refresh_token_hash_unique UNIQUE
        CONSTRAINT sessions_refresh_token_hash_size CHECK (octet_length(refresh_token_hash) = 32),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT sessions_end_after_they_begin CHECK (expires_at > created_at)
);

CREATE INDEX sessions_by_user ON sessions (user_id, created_at);

-- Ed25519 keys that sign access tokens.
CREATE TABLE signing_keys (
    key_id text PRIMARY KEY,
    public_key bytea NOT NULL
        CONSTRAINT signing_keys_public_key_size CHECK (octet_length(public_key) = 32),
    -- PKCS#8, sealed with SIGNING_SEAL_KEY.
    sealed_private_key bytea NOT NULL,
    -- The current one signs; all of them verify.
    status text NOT NULL CONSTRAINT signing_keys_status_known CHECK (status IN ('current', 'previous')),
    created_at timestamptz NOT NULL
);

-- Two replicas that start on an empty database agree on one key.
CREATE UNIQUE INDEX signing_keys_one_current ON signing_keys (status) WHERE status = 'current';

-- Written in the transaction of the change; never updated, never deleted.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    -- Who did it; null where nobody was signed in yet.
    actor_id uuid,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id uuid NOT NULL,
    before jsonb,
    after jsonb,
    trace_id text
);

CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_by_object ON audit_log (object_kind, object_id, at);
