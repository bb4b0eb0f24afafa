-- An object, or somebody, is asked for as text, because other services have other kinds of ids.
CREATE INDEX audit_log_by_object_text ON audit_log ((object_id::text), at);
CREATE INDEX audit_log_by_actor_text ON audit_log ((actor::text), at);

-- Emptying the table is a deletion, too.
CREATE TRIGGER audit_log_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
