-- An object's part of the record has its index (audit_log_gapless); so has what somebody did.
CREATE INDEX audit_log_by_actor ON audit_log (actor, at);

-- Emptying the table is a deletion, too.
CREATE TRIGGER audit_log_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
