//! The hosted page: what it shows, and what a card, the second step and the test API do.

use std::time::Duration;

use base::OrderId;
use db::DbError;
use kit::{ErrorReason, FieldProblem};
use proto::payment::{SandboxSession, SandboxSessionStatus};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Sandbox,
    card::{self, CardOutcome},
    report::{Happened, Reporter, Subject},
};
use crate::error::{Error, Refusal};

struct SessionRow {
    reference: String,
    amount_minor: i64,
    currency: String,
    description: String,
    return_url: String,
    order_id: Uuid,
    status: String,
    expires_at: OffsetDateTime,
    over: bool,
}

/// A card as the guest typed it.
pub(crate) struct Card {
    pub number: String,
    pub exp: String,
    pub cvc: String,
}

impl Sandbox {
    pub async fn session(&self, reference: &str) -> Result<SandboxSession, Error> {
        check_reference(reference)?;
        let found = self.db.read(reference.to_owned(), |conn, reference| {
            Box::pin(async move { Ok::<_, Error>(find(conn, reference).await?) })
        });
        found
            .await?
            .map(|row| row.wire())
            .ok_or(Error::SessionNotFound)
    }

    /// Does what the card does; the webhook is a row of the same transaction. A session that takes no
    /// card any more is answered as it stands.
    pub async fn submit(&self, reference: &str, card: &Card) -> Result<SandboxSession, Error> {
        check(card, self.sources.now())?;
        let turn = Turn::by_card(card::outcome(&card.number));
        self.turn(reference, turn).await
    }

    /// The answer to the second step. A session that does not wait for one is answered as it stands.
    pub async fn approve(&self, reference: &str, approve: bool) -> Result<SandboxSession, Error> {
        let turn = Turn::new("approval", if approve { "succeeded" } else { "open" });
        self.turn(reference, turn).await
    }

    /// Ends a pending payment. Repeating is harmless; anything else is refused, as money for a closed
    /// payment is by a real provider.
    pub async fn settle(&self, reference: &str, paid: bool) -> Result<SandboxSession, Error> {
        let (to, wanted) = if paid {
            ("succeeded", SandboxSessionStatus::Succeeded)
        } else {
            ("closed", SandboxSessionStatus::Closed)
        };
        let session = self.turn(reference, Turn::new("pending", to)).await?;
        if session.status() == wanted {
            Ok(session)
        } else {
            Err(Error::Refused(Refusal {
                reason: ErrorReason::OrderNotOpen,
                detail: "The payment is not pending.".to_owned(),
                facts: Vec::new(),
            }))
        }
    }

    async fn turn(&self, reference: &str, turn: Turn) -> Result<SandboxSession, Error> {
        check_reference(reference)?;
        let input = (reference.to_owned(), turn, self.reporter.clone());
        let take = self.db.run(input, |tx, (reference, turn, reporter)| {
            Box::pin(take(tx, reference, *turn, reporter))
        });
        let session = take.await?.ok_or(Error::SessionNotFound)?;
        self.nudge.notify_one();
        Ok(session)
    }
}

/// A change of a session's status.
#[derive(Clone, Copy)]
struct Turn {
    from: &'static str,
    to: &'static str,
    /// The rest is what the card has decided for later.
    reports_late: bool,
    closes: bool,
    refunds_end: &'static str,
}

impl Turn {
    const fn new(from: &'static str, to: &'static str) -> Self {
        Self {
            from,
            to,
            reports_late: false,
            closes: true,
            refunds_end: "at_once",
        }
    }

    fn by_card(outcome: CardOutcome) -> Self {
        let pays = Self::new("open", "succeeded");
        let pends = Self::new("open", "pending");
        match outcome {
            CardOutcome::Pays => pays,
            CardOutcome::Declined => Self::new("open", "open"),
            CardOutcome::AsksFirst => Self::new("open", "approval"),
            CardOutcome::PaysButReportsLate => Self {
                reports_late: true,
                ..pays
            },
            CardOutcome::Pends => pends,
            CardOutcome::PendsForGood => Self {
                closes: false,
                ..pends
            },
            CardOutcome::PaysButRefundsLate => Self {
                refunds_end: "late",
                ..pays
            },
            CardOutcome::PaysButNeverRefunds => Self {
                refunds_end: "failed",
                ..pays
            },
        }
    }

    /// Open again, or closed: the money did not come.
    fn declines(&self) -> bool {
        matches!(self.to, "open" | "closed")
    }

    /// The second step is the guest's and the page's alone.
    fn happened(&self) -> Option<Happened> {
        match self.to {
            "succeeded" => Some(Happened::Succeeded),
            "pending" => Some(Happened::Pending),
            "approval" => None,
            _ => Some(Happened::Failed),
        }
    }
}

/// No reference has a NUL, and Postgres would fail on one.
fn check_reference(reference: &str) -> Result<(), Error> {
    if reference.contains('\0') {
        Err(Error::SessionNotFound)
    } else {
        Ok(())
    }
}

fn check(card: &Card, now: OffsetDateTime) -> Result<(), Error> {
    let mut problems = Vec::new();
    if !card::expiry_is_good(&card.exp, now) {
        problems.push(FieldProblem::new("exp", "must be MM/YY and not over"));
    }
    if !card::cvc_is_good(&card.cvc) {
        problems.push(FieldProblem::new("cvc", "must have three digits"));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Fields(problems))
    }
}

async fn take(
    tx: &mut PgConnection,
    reference: &str,
    turn: Turn,
    reporter: &Reporter,
) -> Result<Option<SandboxSession>, Error> {
    // One card wins: of two that are submitted at once, the second finds the session settled. What is
    // pending is beyond the guest's time.
    let taken = sqlx::query!(
        "UPDATE sandbox.sessions
         SET status = $3,
             settled_at = CASE WHEN $3 IN ('succeeded', 'closed') THEN clock_timestamp() END,
             declines = declines + CASE WHEN $4 THEN 1 ELSE 0 END,
             closes = $5, refunds_end = $6
         WHERE reference = $1 AND status = $2
           AND (status = 'pending' OR expires_at > clock_timestamp())",
        reference,
        turn.from,
        turn.to,
        turn.declines(),
        turn.closes,
        turn.refunds_end,
    );
    let taken = taken.execute(&mut *tx).await?.rows_affected() == 1;
    let Some(row) = find(tx, reference).await? else {
        return Ok(None);
    };
    let mut session = row.wire();
    if taken {
        if let Some(happened) = turn.happened() {
            let after = if turn.reports_late {
                reporter.late
            } else {
                Duration::ZERO
            };
            let subject = row.subject();
            reporter.report(tx, happened, &subject, after).await?;
        }
        if turn.to == "open" {
            session.status = SandboxSessionStatus::Declined.into();
        }
    }
    Ok(Some(session))
}

async fn find(conn: &mut PgConnection, reference: &str) -> Result<Option<SessionRow>, DbError> {
    let found = sqlx::query_as!(
        SessionRow,
        r#"SELECT reference, amount_minor, currency, description, return_url, order_id, status,
               expires_at, expires_at <= clock_timestamp() AS "over!"
           FROM sandbox.sessions WHERE reference = $1"#,
        reference,
    );
    Ok(found.fetch_optional(conn).await?)
}

impl SessionRow {
    fn subject(&self) -> Subject<'_> {
        Subject {
            reference: &self.reference,
            refund: None,
            amount_minor: self.amount_minor,
            currency: &self.currency,
            order: OrderId::from(self.order_id),
        }
    }

    fn wire(&self) -> SandboxSession {
        let status = match self.status.as_str() {
            "succeeded" => SandboxSessionStatus::Succeeded,
            "pending" => SandboxSessionStatus::Pending,
            "open" if !self.over => SandboxSessionStatus::Open,
            "approval" if !self.over => SandboxSessionStatus::Approval,
            _ => SandboxSessionStatus::Closed,
        };
        SandboxSession {
            reference: self.reference.clone(),
            amount: Some(proto::common::Money {
                amount_minor: self.amount_minor,
                currency: self.currency.clone(),
            }),
            status: status.into(),
            description: self.description.clone(),
            return_url: self.return_url.clone(),
            expires_at: Some(proto::timestamp(self.expires_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Closing, PaymentStatus, Provider as _, sandbox::bench::Bench};

    const PENDS: &str = "4000000000000119";

    async fn status(bench: &Bench, reference: &str) -> PaymentStatus {
        bench.sandbox.fetch(reference).await.unwrap().status
    }

    #[tokio::test]
    async fn the_second_step_pays_or_declines() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card("4000002500003155").await;
        assert_eq!(status(&bench, &payment).await, PaymentStatus::Open);
        // The step waits for its answer, not for another card.
        bench.submit(&payment, "4242424242424242").await;
        let session = bench.sandbox.session(&payment).await.unwrap();
        assert_eq!(session.status(), SandboxSessionStatus::Approval);

        let no = bench.sandbox.approve(&payment, false).await.unwrap();
        assert_eq!(no.status(), SandboxSessionStatus::Declined);
        assert_eq!(status(&bench, &payment).await, PaymentStatus::Declined);
        // Nothing waits for an answer now.
        let stale = bench.sandbox.approve(&payment, true).await.unwrap();
        assert_eq!(stale.status(), SandboxSessionStatus::Open);
        assert_eq!(bench.ledger().await, [0_i64; 0]);

        bench.submit(&payment, "4000002500003155").await;
        let yes = bench.sandbox.approve(&payment, true).await.unwrap();
        assert_eq!(yes.status(), SandboxSessionStatus::Succeeded);
        assert_eq!(status(&bench, &payment).await, PaymentStatus::Paid);
        bench.sandbox.approve(&payment, true).await.unwrap();
        assert_eq!(bench.ledger().await, [9000]);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_second_step_can_be_closed() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card("4000002500003155").await;
        let closed = bench.sandbox.close(&payment).await.unwrap();
        assert_eq!(closed, Closing::Closed);
        let late = bench.sandbox.approve(&payment, true).await.unwrap();
        assert_eq!(late.status(), SandboxSessionStatus::Closed);
        assert_eq!(status(&bench, &payment).await, PaymentStatus::Closed);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_pending_payment_waits_until_it_is_settled_or_closed() {
        let bench = Bench::start(&[]).await;
        let paid = bench.with_card(PENDS).await;
        // The guest's time does not end it.
        sqlx::query("UPDATE sandbox.sessions SET expires_at = now()")
            .execute(&bench.pool)
            .await
            .unwrap();
        assert_eq!(status(&bench, &paid).await, PaymentStatus::Pending);
        for _ in 0..2 {
            bench.sandbox.settle(&paid, true).await.unwrap();
            assert_eq!(status(&bench, &paid).await, PaymentStatus::Paid);
        }
        assert!(bench.sandbox.settle(&paid, false).await.is_err());
        assert_eq!(bench.sandbox.close(&paid).await.unwrap(), Closing::Paid);

        let failed = bench.with_card(PENDS).await;
        bench.sandbox.settle(&failed, false).await.unwrap();
        assert_eq!(status(&bench, &failed).await, PaymentStatus::Failed);

        let closed = bench.with_card(PENDS).await;
        assert_eq!(bench.sandbox.close(&closed).await.unwrap(), Closing::Closed);
        let refused = bench.sandbox.settle(&closed, true).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert_eq!(status(&bench, &closed).await, PaymentStatus::Closed);
        assert_eq!(bench.ledger().await, [9000]);
        bench.end().await;
    }

    #[tokio::test]
    async fn money_may_come_after_every_deadline() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card("4000000000000341").await;
        for _ in 0..2 {
            let closing = bench.sandbox.close(&payment).await.unwrap();
            assert_eq!(closing, Closing::Pending);
        }
        bench.sandbox.settle(&payment, true).await.unwrap();
        assert_eq!(bench.sandbox.close(&payment).await.unwrap(), Closing::Paid);
        assert_eq!(bench.ledger().await, [9000]);
        bench.end().await;
    }

    #[tokio::test]
    async fn an_open_payment_is_not_settled_by_the_test_api() {
        let bench = Bench::start(&[]).await;
        let open = bench.session().await;
        for paid in [true, false] {
            let refused = bench.sandbox.settle(&open, paid).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        }
        assert_eq!(status(&bench, &open).await, PaymentStatus::Open);
        bench.end().await;
    }
}
