//! The doctor is silent on a healthy box office, and each of its rules speaks when what it watches is
//! tampered with.

use std::{collections::BTreeSet, time::Duration};

use base::Secret;
use boxoffice::{
    Databases,
    doctor::{self, Broken, Options, Report, examine, open_session},
};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testkit::{Infra, TestDb, eventually};

use crate::{
    harness::{BoxOffice, PATIENCE, TestDatabases},
    invariants::{self, AT_REST},
};

#[derive(Clone, Copy, Debug)]
enum In {
    Users,
    Tickets,
    Payments,
    Notifications,
}
use In::{Notifications, Payments, Tickets, Users};

/// What somebody with a superuser's rights does, and every rule that must speak of it.
type Tampering = (In, &'static str, &'static [&'static str]);

const TAMPERINGS: &[Tampering] = &[
    (
        Tickets,
        "ALTER TABLE pools DROP CONSTRAINT pools_capacity_not_exceeded;
         UPDATE pools SET capacity = 1",
        &["stock-within-capacity"],
    ),
    (
        Tickets,
        "ALTER TABLE pools DROP CONSTRAINT pools_blocked_not_negative;
         UPDATE pools SET blocked = -1",
        &["stock-not-negative", "counters-match-ledger"],
    ),
    (Tickets, "UPDATE pools SET held = held + 1", &["counters-match-ledger"]),
    (Tickets, "UPDATE traffic_days SET holds = holds + 1", &["insights-match-holds"]),
    (Tickets, "UPDATE pools SET blocked = blocked + 1", &["counters-match-ledger"]),
    (Tickets, "UPDATE pools SET sold = sold - 1", &["counters-match-ledger", "sold-is-issued"]),
    (
        Tickets,
        "DELETE FROM inventory_ledger WHERE transition = 'sell'",
        &["counters-match-ledger", "holds-settled-once"],
    ),
    (
        Tickets,
        "DELETE FROM inventory_ledger
         WHERE subject_id IN (SELECT id FROM holds WHERE status = 'active')",
        &["counters-match-ledger", "holds-match-ledger"],
    ),
    (
        Tickets,
        "INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
         SELECT gen_random_uuid(), id, 1, 'resell', 0, 1 FROM pools",
        &["counters-match-ledger", "late-sales-match-ledger"],
    ),
    (
        Tickets,
        "UPDATE hold_lines SET quantity = 3
         WHERE hold_id IN (SELECT id FROM holds WHERE status = 'committed')",
        &[
            "holds-match-ledger",
            "tickets-match-lines",
            "hold-totals-add-up",
            "guests-have-what-is-counted",
        ],
    ),
    (Tickets, "UPDATE guest_counts SET units = units + 1", &["guests-have-what-is-counted"]),
    (
        Tickets,
        "UPDATE tickets SET status = 'void', voided_by = gen_random_uuid(), voided_at = now()
         WHERE serial = 1 AND status = 'valid'",
        &[
            "dead-codes-are-listed",
            "sold-is-issued",
            "returned-is-void",
            "returned-tickets-are-void",
            "guests-have-what-is-counted",
        ],
    ),
    (
        Tickets,
        "DELETE FROM inventory_ledger WHERE transition = 'return'",
        &["counters-match-ledger", "returned-is-void"],
    ),
    (
        Tickets,
        "UPDATE tickets SET status = 'valid', voided_by = NULL, voided_at = NULL",
        &[
            "dead-codes-are-listed",
            "sold-is-issued",
            "returned-is-void",
            "returned-tickets-are-void",
            "guests-have-what-is-counted",
        ],
    ),
    (Tickets, "DELETE FROM code_revocations", &["dead-codes-are-listed"]),
    (Tickets, "UPDATE event_keys SET number = number + 1", &["codes-have-their-key"]),
    (
        Tickets,
        "DELETE FROM tickets WHERE serial = 1 AND status = 'valid'",
        &["sold-is-issued", "tickets-match-lines", "tickets-match-order"],
    ),
    (
        Tickets,
        "INSERT INTO known_orders (order_id) VALUES ('00000000-0000-8000-8000-000000000001');
         INSERT INTO order_answers (order_id, answer, event_id)
         SELECT '00000000-0000-8000-8000-000000000001', 'committed', id FROM events;
         INSERT INTO tickets (id, order_id, event_id, ticket_type_id, category, line, serial,
                              code_key_id, generation, status)
         SELECT gen_random_uuid(), '00000000-0000-8000-8000-000000000001', event_id, ticket_type_id,
                category, 1, 1, code_key_id, 1, 'valid' FROM tickets LIMIT 1",
        &[
            "sold-is-issued",
            "tickets-match-lines",
            "commits-match-holds",
            "tickets-only-if-paid",
            "fulfilled-is-committed",
        ],
    ),
    (
        Tickets,
        "UPDATE order_answers SET answer = 'refused', refusal_reason = 'SOLD_OUT'",
        &[
            "tickets-have-a-commit",
            "commits-match-holds",
            "fulfilled-is-committed",
            "unfulfillable-is-refused",
            "guests-have-what-is-counted",
        ],
    ),
    (
        Tickets,
        "UPDATE holds SET status = 'released' WHERE status = 'committed'",
        &["holds-settled-once", "late-sales-match-ledger"],
    ),
    (
        Tickets,
        "UPDATE holds SET total_minor = total_minor + 1 WHERE status = 'committed'",
        &["hold-totals-add-up", "price-as-agreed"],
    ),
    (
        Tickets,
        "UPDATE holds SET expires_at = now() - interval '1 minute' WHERE status = 'active'",
        &["holds-end-in-time"],
    ),
    (
        Tickets,
        "UPDATE holds SET paying_until = now() - interval '1 minute' WHERE status = 'paying'",
        &["holds-end-in-time"],
    ),
    (Tickets, "UPDATE holds SET body_hash = ''", &["holds-keep-their-request"]),
    (Tickets, "DELETE FROM audit_log", &["programme-is-on-record", "record-is-gapless"]),
    (
        Payments,
        "UPDATE orders SET status = 'paid' WHERE status = 'fulfilled'",
        &[
            "history-ends-at-status",
            "orders-move-on",
            "fulfilled-is-committed",
            "receipts-only-if-fulfilled",
        ],
    ),
    (
        Payments,
        "UPDATE orders SET status = 'created', created_at = now() - interval '2 minutes'
         WHERE status = 'awaiting_payment'",
        &["history-ends-at-status", "orders-move-on"],
    ),
    (
        Payments,
        "UPDATE orders SET status = 'expired', stock_released_at = now() WHERE status = 'fulfilled'",
        &[
            "captured-money-ended",
            "history-ends-at-status",
            "tickets-only-if-paid",
            "fulfilled-is-committed",
            "receipts-only-if-fulfilled",
        ],
    ),
    (
        Payments,
        "UPDATE payment_attempts SET status = 'failed' WHERE status = 'succeeded'",
        &["paid-is-captured"],
    ),
    (
        Payments,
        "UPDATE payment_attempts SET captured_minor = captured_minor + 1 WHERE status = 'succeeded'",
        &[
            "captured-money-ended",
            "guests-are-owed-nothing",
            "sandbox-captures-are-ours",
            "our-captures-are-the-sandbox-s",
        ],
    ),
    (
        Payments,
        "UPDATE payment_attempts SET captured_minor = 0, captured_currency = NULL, captured_at = NULL
         WHERE status = 'succeeded' AND refunded_minor = 0",
        &[
            "paid-is-captured",
            "succeeded-is-captured",
            "guests-are-owed-nothing",
            "sandbox-captures-are-ours",
        ],
    ),
    (
        Payments,
        "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
                                       currency, status, provider_ref, deadline, captured_minor,
                                       captured_currency, captured_at)
         SELECT gen_random_uuid(), order_id, 2, provider, 'again', amount_minor, currency, status,
                'again', deadline, captured_minor, captured_currency, captured_at
         FROM payment_attempts WHERE status = 'succeeded' AND refunded_minor = 0",
        &["captured-money-ended", "guests-are-owed-nothing", "our-captures-are-the-sandbox-s"],
    ),
    (
        Payments,
        "UPDATE payment_attempts SET refunded_minor = refunded_minor - 1 WHERE refunded_minor > 0",
        &["refunds-within-payments", "captured-money-ended"],
    ),
    (
        Payments,
        "UPDATE order_lines SET refunded_quantity = 0 WHERE refunded_quantity > 0",
        &["given-back-matches-refunds"],
    ),
    (
        Payments,
        "DELETE FROM refund_lines",
        &["given-back-matches-refunds", "returned-tickets-are-void", "insights-match-orders"],
    ),
    (Payments, "UPDATE sale_days SET sold = sold + 1", &["insights-match-orders"]),
    (
        Payments,
        "UPDATE sale_hours SET refunded_minor = refunded_minor - 1 WHERE refunded_minor > 0",
        &["insights-match-orders"],
    ),
    (
        Payments,
        "ALTER TABLE refunds DROP CONSTRAINT refunds_void_before_money;
         UPDATE refunds SET tickets_voided_at = NULL",
        &["tickets-are-void-first"],
    ),
    (
        Payments,
        "UPDATE refunds SET status = 'requested', ended_at = NULL, paid_out_at = NULL WHERE number = 1",
        &[
            "refunds-move-on",
            "refunds-are-announced",
            "guests-are-told-once",
            "sandbox-refunds-are-ours",
        ],
    ),
    (
        Payments,
        "UPDATE refunds SET status = 'submitted', ended_at = NULL, paid_out_at = NULL,
                            next_step_at = now() - interval '5 minutes'",
        &[
            "refunds-move-on",
            "refunds-are-announced",
            "guests-are-told-once",
            "sandbox-refunds-are-ours",
        ],
    ),
    (
        Payments,
        "UPDATE refunds SET amount_minor = amount_minor + 1",
        &[
            "insights-match-orders",
            "refunds-within-payments",
            "sandbox-refunds-are-ours",
            "our-refunds-are-the-sandbox-s",
        ],
    ),
    (
        Payments,
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason)
         SELECT id, 'nobody', status, 'fulfilled', 'tampered' FROM orders
         WHERE status = 'partially_refunded';
         UPDATE orders SET status = 'fulfilled' WHERE status = 'partially_refunded'",
        &["status-follows-money"],
    ),
    (
        Payments,
        "ALTER VIEW account_entries RENAME TO true_entries;
         CREATE VIEW account_entries AS
         SELECT order_id, event_id, at, entry, account, currency,
                amount_minor + (account = 'sales')::int AS amount_minor, source_id
         FROM true_entries;
         GRANT SELECT ON account_entries TO PUBLIC",
        &["accounts-add-up"],
    ),
    (
        Payments,
        "INSERT INTO event_cancellations (event_id, explanation, cancelled_at, finished_at)
         SELECT event_id, '', now(), now() - interval '1 hour' FROM orders WHERE status = 'fulfilled'",
        &["cancelled-events-end"],
    ),
    (
        Payments,
        "INSERT INTO event_cancellations (event_id, explanation, cancelled_at, finished_at, next_scan_at)
         SELECT event_id, '', now(), now() - interval '1 hour', now() + interval '5 minutes'
         FROM orders WHERE status = 'fulfilled';
         UPDATE orders SET updated_at = now() - interval '6 minutes';
         UPDATE payment_attempts SET captured_at = captured_at - interval '6 minutes'",
        &["cancelled-events-end"],
    ),
    (
        Payments,
        "INSERT INTO event_cancellations (event_id, explanation, cancelled_at, next_scan_at)
         VALUES (gen_random_uuid(), '', now(), now() - interval '1 hour')",
        &["cancelled-events-end"],
    ),
    (
        Payments,
        "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
                                       currency, deadline)
         SELECT gen_random_uuid(), order_id, 2, provider, 'again', amount_minor, currency, deadline
         FROM payment_attempts WHERE status = 'succeeded' AND refunded_minor = 0",
        &["ended-orders-take-no-payment"],
    ),
    (
        Payments,
        "UPDATE order_lines SET quantity = 3
         WHERE order_id IN (SELECT id FROM orders WHERE status = 'fulfilled')",
        &["order-lines-add-up", "tickets-match-order", "insights-match-orders"],
    ),
    (
        Payments,
        "UPDATE orders SET hold_id = (SELECT hold_id FROM orders WHERE status = 'fulfilled')
         WHERE status = 'awaiting_payment'",
        &["one-order-per-hold"],
    ),
    (
        Payments,
        "ALTER TABLE orders DROP CONSTRAINT orders_body_hash_check;
         UPDATE orders SET body_hash = ''",
        &["orders-keep-their-request"],
    ),
    (
        Payments,
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason)
         SELECT id, 'nobody', status, 'expired', 'tampered' FROM orders WHERE status = 'cancelled';
         UPDATE orders SET status = 'expired' WHERE status = 'cancelled'",
        &["history-is-legal"],
    ),
    (
        Payments,
        "DELETE FROM order_events WHERE to_status = 'paid'",
        &["history-is-legal"],
    ),
    (
        Payments,
        "UPDATE orders SET pay_by = now() - interval '1 minute' WHERE status = 'awaiting_payment'",
        &["unpaid-orders-end"],
    ),
    (
        Payments,
        "UPDATE orders SET stock_released_at = NULL WHERE status = 'cancelled'",
        &["ended-orders-free-their-stock"],
    ),
    (Payments, "UPDATE provider_events SET state = 'received'", &["webhooks-are-applied"]),
    (
        Payments,
        "UPDATE payment_attempts SET capture_ref = 'pi_' || provider_ref WHERE captured_minor > 0;
         UPDATE provider_events SET state = 'received', reference = 'pi_' || reference",
        &["webhooks-are-applied"],
    ),
    (Payments, "DELETE FROM outbox", &["fulfilled-is-announced", "refunds-are-announced"]),
    (
        Payments,
        "INSERT INTO order_news (message_id, order_id, kind, number)
         SELECT gen_random_uuid(), id, 'postponed', 2 FROM orders WHERE status = 'fulfilled'",
        &["news-are-announced", "guests-are-told-once"],
    ),
    (
        Payments,
        "UPDATE outbox SET kind = 'order_reminder' WHERE kind = 'order_refunded'",
        &["news-are-announced", "refunds-are-announced"],
    ),
    (
        Payments,
        "WITH message AS (INSERT INTO outbox (id, kind, envelope, confirmed_at)
                          VALUES (gen_random_uuid(), 'order_reminder', '', now()) RETURNING id)
         INSERT INTO order_news (message_id, order_id, kind, number, about)
         SELECT m.id, o.id, 'reminder', 1, now() - interval '1 hour'
         FROM message m, orders o WHERE o.status = 'fulfilled'",
        &["reminders-come-in-time", "guests-are-told-once", "confirmed-is-received"],
    ),
    (
        Payments,
        "INSERT INTO ticket_transfers (id, order_id, ticket_id, body_hash, secret_key_id, email, name,
             locale, next_step_at)
         SELECT gen_random_uuid(), id, gen_random_uuid(), sha256(''), 'k1', 'x@example.org', 'X', '',
             'infinity' FROM orders WHERE status = 'fulfilled'",
        &["transfers-move-on"],
    ),
    (
        Payments,
        "INSERT INTO holder_news (id, order_id, number, kind, date_time, event_version, next_step_at)
         SELECT gen_random_uuid(), id, 1, 'reminder', now() + interval '9 days', 1, 'infinity'
         FROM orders WHERE status = 'fulfilled'",
        &["holders-are-told"],
    ),
    (
        Payments,
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason)
         SELECT id, 'nobody', status, status, 'withheld:order_refunded' FROM orders
         WHERE status = 'refunded'",
        &["refunds-are-announced", "guests-are-told-once"],
    ),
    (
        Payments,
        "INSERT INTO event_moves (event_id, version, title, location, date_time, timezone, explanation,
                                  changed_at, next_scan_at)
         VALUES (gen_random_uuid(), 2, '', '', now() + interval '9 days', 'UTC', '', now(),
                 now() - interval '1 hour')",
        &["orders-follow-their-event"],
    ),
    (
        Payments,
        "INSERT INTO event_moves (event_id, version, title, location, date_time, timezone, explanation,
                                  changed_at, next_scan_at)
         SELECT event_id, 99, '', '', event_date_time + interval '9 days', 'UTC', '',
                now() - interval '6 minutes', now() + interval '5 minutes'
         FROM orders WHERE status = 'fulfilled';
         UPDATE orders SET updated_at = now() - interval '6 minutes'",
        &["orders-follow-their-event"],
    ),
    (Payments, "UPDATE outbox SET confirmed_at = NULL", &["outbox-is-confirmed"]),
    (
        Payments,
        "INSERT INTO sandbox.ledger (session, reference, amount_minor, currency)
         SELECT reference, 'ch_new', amount_minor, currency FROM sandbox.sessions WHERE status = 'open'",
        &["sandbox-captures-are-ours"],
    ),
    (
        Payments,
        "DELETE FROM sandbox.ledger WHERE amount_minor > 0",
        &["our-captures-are-the-sandbox-s"],
    ),
    (
        Payments,
        "INSERT INTO sandbox.ledger (session, reference, amount_minor, currency)
         SELECT session, 're_new' || id, amount_minor, currency FROM sandbox.ledger WHERE amount_minor < 0",
        &["sandbox-refunds-are-ours"],
    ),
    (
        Payments,
        "DELETE FROM sandbox.ledger WHERE amount_minor < 0",
        &["our-refunds-are-the-sandbox-s"],
    ),
    (
        Notifications,
        "DELETE FROM notifications",
        &["received-is-queued", "one-receipt-per-order", "guests-are-told-once"],
    ),
    (Notifications, "UPDATE notifications SET attempts = 0", &["one-receipt-per-order"]),
    (
        Notifications,
        "UPDATE notifications SET order_id = gen_random_uuid()",
        &["guests-are-told-once", "one-receipt-per-order", "receipts-only-if-fulfilled"],
    ),
    (
        Notifications,
        "UPDATE notifications SET status = 'sending', sent_at = NULL,
                                  next_attempt_at = now() - interval '1 minute'",
        &["due-mail-is-sent"],
    ),
    (
        Notifications,
        "INSERT INTO erased_orders (order_id) SELECT DISTINCT order_id FROM notifications",
        &["erased-is-empty"],
    ),
    (
        Notifications,
        "UPDATE inbox SET message_id = gen_random_uuid()",
        &["received-is-queued", "confirmed-is-received"],
    ),
    (Users, "DELETE FROM audit_log", &["accounts-are-on-record", "record-is-gapless"]),
    (
        Users,
        "DELETE FROM audit_log a WHERE seq = (SELECT max(seq) FROM audit_log WHERE object_id = a.object_id)
             AND object_kind = 'session'",
        &["record-is-gapless"],
    ),
    (
        Payments,
        "INSERT INTO audit_heads (object, last_seq) VALUES ('taken out', 1)",
        &["record-is-gapless"],
    ),
    (
        Notifications,
        "INSERT INTO audit_heads (object, last_seq) VALUES ('taken out', 1)",
        &["record-is-gapless"],
    ),
    (Users, "DELETE FROM signing_keys", &["signing-key-is-there"]),
    (
        Users,
        "INSERT INTO outbox (id, kind, envelope, created_at, next_attempt_at)
         VALUES (gen_random_uuid(), 'admin_invited', '', now() - interval '1 hour', 'infinity')",
        &["mails-to-admins-are-confirmed"],
    ),
];

/// What asks for a person. The rules of the other list may speak too.
const TASKS: &[Tampering] = &[
    (
        Tickets,
        "UPDATE pools SET halted_at = now(), halt_reason = 'held 2; the ledger says 1'",
        &["sales-are-halted"],
    ),
    (
        Payments,
        "UPDATE orders SET needs_attention = 'look' WHERE status = 'fulfilled'",
        &["orders-need-a-person"],
    ),
    (
        Payments,
        "UPDATE orders SET status = 'processing' WHERE status = 'awaiting_payment'",
        &["outcome-unknown"],
    ),
    (
        Payments,
        "UPDATE provider_events SET state = 'unmatched'",
        &["webhooks-nobody-asked-for"],
    ),
    (
        Notifications,
        "UPDATE notifications SET status = 'failed', sent_at = NULL",
        &["mail-failed"],
    ),
    (
        Notifications,
        "UPDATE notifications SET status = 'bounced', last_error = 'no such mailbox'",
        &["mail-came-back"],
    ),
    (
        Notifications,
        "UPDATE notifications SET status = 'queued', sent_at = NULL, last_error = 'no login',
                                  error_class = 'server', next_attempt_at = now() + interval '1 hour'",
        &["mail-server-serves"],
    ),
    (
        Notifications,
        "UPDATE notifications SET status = 'queued', sent_at = NULL, last_error = 'greylisted',
                                  next_attempt_at = now() + interval '1 hour'",
        &["mail-delayed"],
    ),
    (
        Notifications,
        "INSERT INTO poison_messages (id, reason, subject, headers, payload_prefix, payload_bytes)
         VALUES (gen_random_uuid(), 'not an envelope', 'boxoffice.events.x', '', '', 0)",
        &["messages-nobody-understood"],
    ),
];

/// These are about sessions, which no row can fake.
const OF_SESSIONS: [&str; 2] = ["no-session-idle-in-transaction", "no-advisory-lock-left"];

#[tokio::test]
async fn every_rule_speaks_when_what_it_watches_is_tampered_with() {
    let databases = after_some_trade().await;
    let report = examine(&databases.urls(), AT_REST).await.unwrap();
    assert!(
        report.is_healthy() && report.attention.is_empty(),
        "{report}"
    );
    for &(place, sql, expected) in TAMPERINGS {
        let report = tampered(&databases, place, sql).await;
        assert_eq!(names(&report.findings), sorted(expected), "{sql}\n{report}");
        assert!(
            report
                .findings
                .iter()
                .all(|broken| broken.rows > 0 && !broken.first.is_empty())
        );
    }
    for &(place, sql, expected) in TASKS {
        let report = tampered(&databases, place, sql).await;
        assert_eq!(
            names(&report.attention),
            sorted(expected),
            "{sql}\n{report}"
        );
    }
}

/// What happens of itself and looks like a fault from one side.
const INNOCENT: &[(In, &str)] = &[
    // A refund asked for tickets that were void already, and was withdrawn: no money, no tickets.
    (
        Payments,
        "INSERT INTO refunds (id, order_id, attempt_id, number, provider, amount_minor, currency,
                              reason, note, status, voids, requested_by, ended_at)
         SELECT gen_random_uuid(), order_id, attempt_id, 2, provider, amount_minor, currency, reason,
                note, 'failed_final', voids, requested_by, ended_at
         FROM refunds WHERE voids = 'lines';
         INSERT INTO refund_lines (refund_id, order_id, position, quantity, amount_minor, tax_minor,
                                   fee_minor, fee_tax_minor)
         SELECT f.id, l.order_id, l.position, l.quantity, l.amount_minor, l.tax_minor, l.fee_minor,
                l.fee_tax_minor
         FROM refunds f JOIN refund_lines l ON l.order_id = f.order_id
         WHERE f.status = 'failed_final'",
    ),
    // An order got its tickets with the facts of before the event was postponed, a moment ago.
    (
        Payments,
        "INSERT INTO event_moves (event_id, version, title, location, date_time, timezone, explanation,
                                  changed_at, next_scan_at)
         SELECT event_id, 99, '', '', event_date_time + interval '9 days', 'UTC', '',
                now() - interval '1 hour', now() + interval '4 minutes'
         FROM orders WHERE status = 'fulfilled'",
    ),
    // Money came late for an order of a cancelled event that was done with.
    (
        Payments,
        "INSERT INTO event_cancellations (event_id, explanation, cancelled_at, finished_at, next_scan_at)
         SELECT event_id, '', now(), now() - interval '1 minute', now() + interval '4 minutes'
         FROM orders WHERE status = 'fulfilled'",
    ),
    // The orders went to other addresses: their news did, too.
    (
        Notifications,
        "INSERT INTO notifications (id, message_id, subject_id, order_id, event_id, kind, channel,
                                    recipient, revision, content, status, withdrawn_at)
         SELECT gen_random_uuid(), message_id, subject_id, order_id, event_id, kind, channel,
                'wrong.' || recipient, revision, content, 'withdrawn', now()
         FROM notifications WHERE kind <> 'receipt'",
    ),
];

#[tokio::test]
async fn what_happens_of_itself_is_no_finding() {
    let databases = after_some_trade().await;
    for &(place, sql) in INNOCENT {
        let report = tampered(&databases, place, sql).await;
        assert!(report.is_healthy(), "{sql}\n{report}");
    }
}

#[test]
fn every_rule_is_tampered_with_and_explained() {
    let spoken = TAMPERINGS
        .iter()
        .chain(TASKS)
        .flat_map(|(_, _, rules)| rules.iter().copied());
    let spoken: BTreeSet<&str> = spoken.chain(OF_SESSIONS).collect();
    let rules: BTreeSet<&str> = doctor::rules().into_iter().map(|(name, _)| name).collect();
    assert_eq!(spoken, rules);
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    for rule in rules {
        assert!(
            manual.contains(&format!("`{rule}`")),
            "docs/operations.md does not explain {rule}"
        );
    }
}

#[tokio::test]
async fn the_first_row_is_named_and_all_are_counted() {
    let databases = after_some_trade().await;
    let report = tampered(
        &databases,
        Tickets,
        "UPDATE tickets SET order_id = order_id, line = 9",
    )
    .await;
    let broken = report
        .findings
        .iter()
        .find(|broken| broken.rule == "tickets-match-lines")
        .unwrap();
    // The tickets are on no line, and the lines have no tickets.
    assert_eq!(broken.rows, 6 + 3, "{report}");
    let mut tickets = databases.tickets.connect().await;
    let order: String = sqlx::query_scalar("SELECT min(order_id::text) FROM tickets")
        .fetch_one(&mut tickets)
        .await
        .unwrap();
    assert!(broken.first.contains(&order), "{report}");
    assert!(report.to_string().contains(&broken.first));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["rule"], "tickets-match-lines");
    assert_eq!(
        json["checked"].as_array().unwrap().len(),
        report.checked.len()
    );
}

#[tokio::test]
async fn what_is_young_has_time_to_settle() {
    let databases = after_some_trade().await;
    let patient = Options {
        settle: Duration::from_secs(60),
        ..AT_REST
    };
    for (place, sql) in [
        (Payments, "UPDATE outbox SET confirmed_at = NULL"),
        (
            Payments,
            "UPDATE orders SET stock_released_at = NULL WHERE status = 'cancelled'",
        ),
        (Notifications, "UPDATE notifications SET attempts = 0"),
    ] {
        let report = tampered_with(&databases, place, sql, patient).await;
        assert!(report.is_healthy(), "{sql}\n{report}");
    }
}

#[tokio::test]
async fn sessions_that_were_left_open_are_found() {
    let office = BoxOffice::open().await;
    let mut idle = office.databases.tickets.connect().await;
    idle.execute("BEGIN; SELECT 1").await.unwrap();
    let mut locked = office.databases.payments.connect().await;
    locked.execute("SELECT pg_advisory_lock(7)").await.unwrap();
    eventually("the doctor to find both", PATIENCE, async || {
        let report = invariants::examine(&office).await;
        (names(&report.findings) == sorted(&OF_SESSIONS)).then_some(())
    })
    .await;
    idle.close().await.unwrap();
    locked.close().await.unwrap();
    office.close().await;
}

#[tokio::test]
async fn the_doctor_cannot_write() {
    let db = testkit::database("tickets", &ticket_svc::MIGRATOR).await;
    // Even the superuser's rights do not help.
    for url in [db.url.clone(), db.admin_url()] {
        let url = Secret::new(url);
        let mut session = open_session(&url, AT_REST.statement_timeout).await.unwrap();
        for write in [
            "DELETE FROM pools",
            "UPDATE event_change_seq SET last_seq = 1",
            "CREATE TABLE mine (id int)",
            "SELECT last_seq FROM event_change_seq FOR UPDATE",
            "BEGIN; COMMIT; DROP TABLE audit_log",
        ] {
            let error = session.execute(write).await.expect_err(write);
            let code = error.as_database_error().unwrap().code();
            // read_only_sql_transaction
            assert_eq!(code.as_deref(), Some("25006"), "{write}: {error}");
            session.execute("ROLLBACK").await.unwrap();
        }
        session.close().await.unwrap();
    }
}

/// A box office that has sold, been refused, and waits, at rest and closed.
async fn after_some_trade() -> TestDatabases {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let sold = guest.buy(&on_sale, 2, "sold@example.org").await;
    guest.wait_for(&sold, "fulfilled").await;
    let one = json!([{"ticket_type_id": on_sale.ticket_type_id, "quantity": 1}]);
    let one = json!({"lines": one, "reason": "One of you is ill."});
    let all = json!({"reason": "Both of you are ill."});
    for (address, refund, status) in [
        ("partly@example.org", one, "partially_refunded"),
        ("wholly@example.org", all, "refunded"),
    ] {
        let order = guest.buy(&on_sale, 2, address).await;
        guest.wait_for(&order, "fulfilled").await;
        let path = format!(
            "/api/v1/admin/orders/{}/refunds",
            order["id"].as_str().unwrap()
        );
        let (made, body) = office.admin_post(&path, &refund).await;
        assert_eq!(made, StatusCode::CREATED, "{body}");
        guest.wait_for(&order, status).await;
    }
    let (_, hold) = guest.hold(&on_sale, 1).await;
    let (_, cancelled) = guest.order(&hold, "cancelled@example.org").await;
    guest.act(&cancelled, "cancel").await;
    guest.wait_for(&cancelled, "cancelled").await;
    let (_, hold) = guest.hold(&on_sale, 3).await;
    let (_, waiting) = guest.order(&hold, "waiting@example.org").await;
    guest.checkout_url(&waiting).await;
    guest.hold(&on_sale, 1).await;
    // Three receipts, and two mails about refunds.
    office.smtp.wait_for(5, PATIENCE).await;
    invariants::check(&office).await;
    office.mesh.into_inner().stop().await.unwrap();
    office.nats.stop().await;
    let databases = office.databases;
    // As a job does every now and then: what is not folded yet cannot be tampered with.
    for (db, fold) in [
        (&databases.tickets, "SELECT fold_traffic(1000)"),
        (&databases.payments, "SELECT fold_sales(1000)"),
    ] {
        let mut folder = PgConnection::connect(&db.admin_url()).await.unwrap();
        folder.execute(fold).await.unwrap();
    }
    databases
}

async fn tampered(databases: &TestDatabases, place: In, sql: &'static str) -> Report {
    tampered_with(databases, place, sql, AT_REST).await
}

/// The doctor's report on a copy that was tampered with.
async fn tampered_with(
    databases: &TestDatabases,
    place: In,
    sql: &'static str,
    options: Options,
) -> Report {
    let mut urls: Databases = databases.urls();
    let (db, url) = match place {
        Users => (&databases.users, &mut urls.users),
        Tickets => (&databases.tickets, &mut urls.tickets),
        Payments => (&databases.payments, &mut urls.payments),
        Notifications => (&databases.notifications, &mut urls.notifications),
    };
    let copy = format!("{}_tampered", db.name);
    *url = Secret::new(in_database(&db.url, db, &copy));
    let mut server = PgConnection::connect(&Infra::postgres_url()).await.unwrap();
    let make = format!("CREATE DATABASE \"{copy}\" TEMPLATE \"{}\"", db.name);
    server.execute(AssertSqlSafe(make)).await.unwrap();

    let admin_url = in_database(&db.admin_url(), db, &copy);
    let mut tamperer = PgConnection::connect(&admin_url).await.unwrap();
    // No trigger and no foreign key is in the way.
    tamperer
        .execute("SET session_replication_role = replica")
        .await
        .unwrap();
    tamperer
        .execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    tamperer.close().await.unwrap();
    let report = examine(&urls, options).await.unwrap();
    let drop = format!("DROP DATABASE \"{copy}\" WITH (FORCE)");
    server.execute(AssertSqlSafe(drop)).await.unwrap();
    report
}

fn in_database(url: &str, of: &TestDb, copy: &str) -> String {
    url.replace(&format!("/{}", of.name), &format!("/{copy}"))
}

fn names(broken: &[Broken]) -> Vec<&'static str> {
    let names: BTreeSet<&str> = broken.iter().map(|broken| broken.rule).collect();
    names.into_iter().collect()
}

fn sorted(rules: &[&'static str]) -> Vec<&'static str> {
    let rules: BTreeSet<&str> = rules.iter().copied().collect();
    rules.into_iter().collect()
}
