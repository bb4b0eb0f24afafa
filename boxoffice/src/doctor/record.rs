//! What must be true of the record of what admins did. Asked of each database.

use super::rule::{Rule, rule};

pub(super) const RULES: &[Rule] = &[rule(
    "record-is-gapless",
    "The audit entries of each object are numbered from 1 to the last one, and none is missing.",
    "SELECT format('object %s: %s entries, the last is number %s, %s were written',
                   coalesce(h.object, e.object), coalesce(e.entries, 0), coalesce(e.last, 0),
                   coalesce(h.last_seq, 0))
     FROM audit_heads h
     FULL JOIN (SELECT object, count(*) AS entries, max(seq) AS last FROM audit_entries GROUP BY object) e
         ON e.object = h.object
     WHERE e.entries IS DISTINCT FROM h.last_seq OR e.last IS DISTINCT FROM h.last_seq",
)];
