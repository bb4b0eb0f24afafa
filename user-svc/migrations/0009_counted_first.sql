-- An attempt is counted before it is made. The one that was counted last: a repeat of the same work counts
-- nothing.
ALTER TABLE failed_logins ADD COLUMN last_attempt uuid;

-- What is forgotten in small bites is found by its age.
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX password_resets_by_end ON password_resets (expires_at);
CREATE INDEX invitations_by_end ON invitations (expires_at);
CREATE INDEX account_requests_by_decision ON account_requests (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX api_keys_by_end ON api_keys (expires_at);
CREATE INDEX known_networks_by_age ON known_networks (seen_at);
CREATE INDEX second_factors_begun ON second_factors (created_at) WHERE confirmed_at IS NULL;

-- An object, or somebody, is asked for as text, because other services have other kinds of ids.
CREATE INDEX audit_log_by_object_text ON audit_log ((object_id::text), at);
CREATE INDEX audit_log_by_actor_text ON audit_log ((coalesce(actor_id::text, '')), at);

-- Emptying the table is a deletion, too.
CREATE TRIGGER audit_log_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
