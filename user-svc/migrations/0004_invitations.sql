-- Who may make an account. The token of the link is nowhere but in the mail, sealed on its way there.
CREATE TABLE invitations (
    id uuid NOT NULL CONSTRAINT invitations_pkey PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,
    role text NOT NULL CONSTRAINT invitations_role_known CHECK (role IN ('admin', 'superadmin')),
    token_hash bytea NOT NULL CONSTRAINT invitations_token_hash_unique UNIQUE
        CONSTRAINT invitations_token_hash_size CHECK (octet_length(token_hash) = 32),
    -- How often a link was sent; each kills the one before.
    number int NOT NULL DEFAULT 1 CONSTRAINT invitations_number_positive CHECK (number > 0),
    invited_by uuid NOT NULL CONSTRAINT invitations_invited_by_fkey REFERENCES users (id),
    created_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    user_id uuid CONSTRAINT invitations_user_fkey REFERENCES users (id),
    revoked_at timestamptz,
    CONSTRAINT invitations_accepted_by_somebody CHECK ((accepted_at IS NULL) = (user_id IS NULL))
);

CREATE UNIQUE INDEX invitations_one_open ON invitations (email_key)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- Who asks to be invited.
CREATE TABLE account_requests (
    id uuid NOT NULL CONSTRAINT account_requests_pkey PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,
    note text NOT NULL,
    locale text NOT NULL,
    created_at timestamptz NOT NULL,
    decided_at timestamptz
);

CREATE UNIQUE INDEX account_requests_one_open ON account_requests (email_key) WHERE decided_at IS NULL;

-- Links to choose another password.
CREATE TABLE password_resets (
    id uuid NOT NULL CONSTRAINT password_resets_pkey PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT password_resets_user_fkey REFERENCES users (id),
    token_hash bytea NOT NULL CONSTRAINT password_resets_token_hash_unique UNIQUE
        CONSTRAINT password_resets_token_hash_size CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE INDEX password_resets_by_user ON password_resets (user_id);

-- How often something was asked for within a window. Subjects are keyed hashes.
CREATE TABLE account_limits (
    bucket text NOT NULL,
    subject bytea NOT NULL,
    window_start timestamptz NOT NULL,
    count int NOT NULL,
    CONSTRAINT account_limits_pkey PRIMARY KEY (bucket, subject)
);

CREATE INDEX account_limits_by_age ON account_limits (window_start);

-- Mails that are to be sent, until notify-svc has confirmed them.
CREATE TABLE outbox (
    id uuid NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY,
    kind text NOT NULL,
    envelope bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    generation int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    -- As every outbox has it; nothing here is about an order.
    order_id uuid
);

CREATE INDEX outbox_open ON outbox (next_attempt_at) WHERE confirmed_at IS NULL;
