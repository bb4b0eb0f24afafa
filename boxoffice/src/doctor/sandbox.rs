//! Rules about the sandbox, which keeps the books of a provider in the payments database: both sides of
//! a payment can be compared.

use sqlx::PgConnection;

use super::rule::{Rule, rule};

pub(super) const RULES: &[Rule] = &[
    rule(
        "sandbox-captures-are-ours",
        "Every payment that the sandbox collected is captured here, at the same amount.",
        "SELECT format('session %s collected %s %s', l.session, l.amount_minor, l.currency)
         FROM sandbox.ledger l, rest
         WHERE l.amount_minor > 0 AND l.at < rest.before
           AND NOT EXISTS (SELECT FROM payment_attempts a
                           WHERE a.provider = 'sandbox' AND a.provider_ref = l.session
                             AND (a.captured_minor, a.captured_currency) = (l.amount_minor, l.currency))",
    ),
    rule(
        "our-captures-are-the-sandbox-s",
        "Every payment captured through the sandbox is in its books.",
        "SELECT format('attempt %s of order %s captured %s %s as %s', a.id, a.order_id,
                       a.captured_minor, a.captured_currency, coalesce(a.provider_ref, 'nothing'))
         FROM payment_attempts a
         WHERE a.provider = 'sandbox' AND a.captured_minor > 0
           AND NOT EXISTS (SELECT FROM sandbox.ledger l
                           WHERE l.session = a.provider_ref
                             AND (l.amount_minor, l.currency) = (a.captured_minor, a.captured_currency))",
    ),
    rule(
        "sandbox-refunds-are-ours",
        "Every refund that the sandbox paid out is known here, at the same amount.",
        "SELECT format('refund %s of session %s paid out %s %s', l.reference, l.session,
                       -l.amount_minor, l.currency)
         FROM sandbox.ledger l, rest
         WHERE l.amount_minor < 0 AND l.at < rest.before
           AND NOT EXISTS (SELECT FROM refunds r
                           WHERE r.provider = 'sandbox' AND r.provider_ref = l.reference
                             AND r.status IN ('succeeded', 'external')
                             AND (r.amount_minor, r.currency) = (-l.amount_minor, l.currency))",
    ),
    rule(
        "our-refunds-are-the-sandbox-s",
        "Every refund that left through the sandbox is in its books, unless a person paid it out.",
        "SELECT format('refund %s of order %s paid out %s %s as %s', r.id, r.order_id, r.amount_minor,
                       r.currency, coalesce(r.provider_ref, 'nothing'))
         FROM refunds r
         WHERE r.provider = 'sandbox' AND r.status IN ('succeeded', 'external')
           AND NOT EXISTS (SELECT FROM sandbox.ledger l
                           WHERE l.reference = r.provider_ref
                             AND (-l.amount_minor, l.currency) = (r.amount_minor, r.currency))
           AND NOT EXISTS (SELECT FROM audit_log a
                           WHERE a.object = r.id::text AND a.action = 'refund.settle')",
    ),
];

pub(super) async fn is_there(session: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass('sandbox.sessions') IS NOT NULL")
        .fetch_one(session)
        .await
}
