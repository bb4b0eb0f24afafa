//! What sessions may leave behind: nothing. Asked of each database.

use super::rule::{Rule, rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "no-session-idle-in-transaction",
        "No session sits idle in an open transaction.",
        // Between two statements every transaction is idle for a moment; the services' own limit
        // is five seconds.
        "SELECT format('session %s (%s) has been %s since %s after: %s', a.pid, a.application_name,
                       a.state, a.state_change, left(a.query, 80))
         FROM pg_stat_activity a, rest
         WHERE a.datname = current_database()
           AND a.application_name <> 'boxoffice doctor'
           AND a.state LIKE 'idle in transaction%'
           AND a.state_change < greatest(rest.before, now() - interval '10 seconds')
                                - interval '1 second'",
    ),
    rule(
        "no-advisory-lock-left",
        "No idle session holds an advisory lock.",
        "SELECT format('session %s (%s), idle since %s, holds the advisory lock %s/%s', l.pid,
                       a.application_name, a.state_change, l.classid, l.objid)
         FROM pg_locks l
         JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
         JOIN pg_stat_activity a ON a.pid = l.pid, rest
         WHERE l.locktype = 'advisory' AND l.granted AND a.state LIKE 'idle%'
           AND a.state_change < greatest(rest.before, now() - interval '10 seconds')
                                - interval '1 second'",
    ),
];
