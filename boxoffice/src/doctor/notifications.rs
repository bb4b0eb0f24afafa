//! Rules of the notifications database.

use super::rule::{Rule, rule, task};

pub(super) const RULES: &[Rule] = &[
    rule(
        "received-is-queued",
        "Every message that was received has its notification.",
        "SELECT format('message %s (%s) was received and has no notification', i.message_id, i.kind)
         FROM inbox i
         WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.message_id = i.message_id)",
    ),
    rule(
        "due-mail-is-sent",
        "No notification is due and left lying.",
        "SELECT format('notification %s of order %s is %s and has been due since %s', n.id,
                       n.order_id, n.status, n.next_attempt_at)
         FROM notifications n, rest
         WHERE n.status IN ('queued', 'sending') AND n.next_attempt_at < rest.before",
    ),
    task(
        "mail-failed",
        "No mail was given up.",
        "SELECT format('notification %s of order %s failed after %s attempts: %s', id, order_id,
                       attempts, coalesce(last_error, 'no reason stored'))
         FROM notifications WHERE status = 'failed'",
    ),
    task(
        "mail-delayed",
        "No mail waits after a failed attempt.",
        "SELECT format('notification %s of order %s, next attempt at %s: %s', id, order_id,
                       next_attempt_at, last_error)
         FROM notifications WHERE status = 'queued' AND attempts > 0",
    ),
    task(
        "messages-nobody-understood",
        "No message was refused because it cannot become a notification.",
        "SELECT format('message %s came %s times, last at %s: %s', id, times, last_received_at, reason)
         FROM poison_messages",
    ),
];
