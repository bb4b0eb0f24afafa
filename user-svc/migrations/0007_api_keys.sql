-- Keys with which programs act for an account.
CREATE TABLE api_keys (
    id uuid NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT api_keys_user_fkey REFERENCES users (id),
    name text NOT NULL,
    -- SHA-256 of the secret; the secret itself is nowhere.
    secret_hash bytea NOT NULL CONSTRAINT api_keys_secret_hash_unique UNIQUE
        CONSTRAINT api_keys_secret_hash_size CHECK (octet_length(secret_hash) = 32),
    -- As tokens have them.
    scopes text[] NOT NULL CONSTRAINT api_keys_scopes_some CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    last_network text,
    revoked_at timestamptz,
    CONSTRAINT api_keys_end_after_they_begin CHECK (expires_at > created_at)
);

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
