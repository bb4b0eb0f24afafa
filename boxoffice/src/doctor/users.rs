//! Rules of the users database.

use super::rule::{Rule, rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "accounts-are-on-record",
        "Every account has its entry in the audit log.",
        "SELECT format('user %s is in no audit entry', u.id)
         FROM users u
         WHERE NOT EXISTS (SELECT FROM audit_log a
                           WHERE a.object_kind = 'user' AND a.object_id = u.id)",
    ),
    rule(
        "signing-key-is-there",
        "Where there are sessions, there is a current key that signs their tokens.",
        "SELECT format('%s sessions, and no current signing key', count(*))
         FROM sessions
         WHERE NOT EXISTS (SELECT FROM signing_keys WHERE status = 'current')
         HAVING count(*) > 0",
    ),
    rule(
        "mails-to-admins-are-confirmed",
        "Every mail to an admin was confirmed by its receiver.",
        "SELECT format('outbox row %s (%s) of %s was published %s times and never confirmed', o.id,
                       o.kind, o.created_at, o.generation)
         FROM outbox o, rest WHERE o.confirmed_at IS NULL AND o.created_at < rest.before",
    ),
];
