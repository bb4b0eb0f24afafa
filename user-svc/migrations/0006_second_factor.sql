-- A second factor: a secret that an authenticator makes codes from (RFC 6238), and codes for when it is lost.
CREATE TABLE second_factors (
    user_id uuid NOT NULL CONSTRAINT second_factors_pkey PRIMARY KEY
        CONSTRAINT second_factors_user_fkey REFERENCES users (id),
    -- Sealed with SIGNING_SEAL_KEY, for this account only.
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Until then signing in does not ask for it.
    confirmed_at timestamptz,
    -- The time step of the last code: none works twice.
    last_step bigint NOT NULL,
    -- What that code was used for.
    used_for uuid
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL CONSTRAINT recovery_codes_user_fkey REFERENCES users (id),
    code_hash bytea NOT NULL
        CONSTRAINT recovery_codes_code_hash_size CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    used_for uuid,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash)
);
