//! Rules of the notifications database.

use super::rule::{Rule, rule, task};

pub(super) const RULES: &[Rule] = &[
    rule(
        "received-is-queued",
        "Every message that was received has its notification.",
        "SELECT format('message %s (%s) was received and has no notification', i.message_id, i.kind)
         FROM inbox i
         WHERE i.kind NOT IN ('order_erased', 'holder_erased', 'address_corrected')
           AND NOT EXISTS (SELECT FROM notifications n WHERE n.message_id = i.message_id)",
    ),
    rule(
        "due-mail-is-sent",
        "No notification is due and left lying while the mail server takes mails.",
        "SELECT format('notification %s of order %s is %s and has been due since %s', n.id,
                       n.order_id, n.status, n.next_attempt_at)
         FROM notifications n, rest
         WHERE n.status IN ('queued', 'sending') AND n.next_attempt_at < rest.before
           AND NOT EXISTS (SELECT FROM notifications s
                           WHERE s.status = 'queued' AND s.error_class = 'server')
           -- A pace may be set. What somebody waits for goes first all the same.
           AND (n.priority = 0
                OR NOT EXISTS (SELECT FROM notifications s WHERE s.sent_at > rest.before))",
    ),
    rule(
        "erased-is-empty",
        "Of an erased guest neither address nor words are left.",
        "SELECT format('notification %s of order %s is %s', n.id, n.order_id, n.status)
         FROM notifications n JOIN erased_orders e USING (order_id)
         WHERE n.status <> 'erased' OR n.content <> '' OR n.last_error IS NOT NULL",
    ),
    task(
        "mail-server-serves",
        "The mail server can be reached and takes mails from us.",
        "SELECT format('notification %s waits, next attempt at %s: %s', id, next_attempt_at, last_error)
         FROM notifications WHERE status = 'queued' AND error_class = 'server'",
    ),
    task(
        "mail-failed",
        "No mail was given up.",
        "SELECT format('notification %s of order %s failed after %s attempts: %s', id, order_id,
                       attempts, coalesce(last_error, 'no reason stored'))
         FROM notifications WHERE status = 'failed' AND dismissed_at IS NULL",
    ),
    task(
        "mail-came-back",
        "No mail came back.",
        "SELECT format('notification %s of order %s came back: %s', id, order_id, last_error)
         FROM notifications WHERE status = 'bounced' AND dismissed_at IS NULL",
    ),
    task(
        "mail-delayed",
        "No mail waits after a failed attempt.",
        "SELECT format('notification %s of order %s, next attempt at %s: %s', id, order_id,
                       next_attempt_at, last_error)
         FROM notifications
         WHERE status = 'queued' AND attempts > 0 AND error_class IS DISTINCT FROM 'server'",
    ),
    task(
        "messages-nobody-understood",
        "No message was refused because it cannot become a notification.",
        "SELECT format('message %s came %s times, last at %s: %s', id, times, last_received_at, reason)
         FROM poison_messages",
    ),
];
