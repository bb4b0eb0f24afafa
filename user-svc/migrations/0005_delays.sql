-- Wrong passwords, and how long the next one has to wait. Subjects are keyed hashes.
CREATE TABLE failed_logins (
    subject bytea NOT NULL CONSTRAINT failed_logins_pkey PRIMARY KEY,
    failures int NOT NULL CONSTRAINT failed_logins_failures_positive CHECK (failures > 0),
    last_at timestamptz NOT NULL,
    free_at timestamptz NOT NULL
);

CREATE INDEX failed_logins_by_age ON failed_logins (last_at);

-- From where an account's owner has proven who they are: strangers elsewhere do not slow them down there.
CREATE TABLE known_networks (
    user_id uuid NOT NULL CONSTRAINT known_networks_user_fkey REFERENCES users (id),
    network bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT known_networks_pkey PRIMARY KEY (user_id, network)
);
