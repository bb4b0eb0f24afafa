//! Money the sandbox sends back: at once, late or not at all, as the card has decided.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base::OrderId;
use db::DbError;
use kit::Tasks;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    Sandbox,
    report::{Happened, Reporter, Subject},
};
use crate::provider::{ProviderError, RefundRequest, RefundState, RefundTruth, SeenRefund};

const POLL_INTERVAL: Duration = Duration::from_millis(500);
const BATCH_ROWS: i64 = 128;

struct Wanted {
    reference: String,
    request: RefundRequest,
    reporter: Reporter,
}

enum Answer {
    Stands(RefundTruth),
    NoSuchPayment,
    KeyTaken,
}

struct RefundRow {
    reference: String,
    caller_key: Option<String>,
    session: String,
    amount_minor: i64,
    currency: String,
    status: String,
    reason: Option<String>,
}

/// The refund with the request's key, made if it is not there.
pub(super) async fn refund(
    sandbox: &Sandbox,
    request: &RefundRequest,
) -> Result<RefundTruth, ProviderError> {
    let wanted = Wanted {
        reference: format!("sbr_{}", sandbox.sources.token()),
        request: request.clone(),
        reporter: sandbox.reporter.clone(),
    };
    let made = sandbox
        .db
        .run(wanted, |tx, wanted| Box::pin(find_or_make(tx, wanted)));
    match made.await? {
        Answer::Stands(truth) => {
            sandbox.nudge.notify_one();
            Ok(truth)
        }
        Answer::NoSuchPayment => Err(ProviderError::UnknownReference),
        Answer::KeyTaken => Err(ProviderError::Refused(
            "the key was used for another refund".to_owned(),
        )),
    }
}

pub(super) async fn fetch_refund(
    sandbox: &Sandbox,
    reference: &str,
) -> Result<RefundTruth, ProviderError> {
    let found = sandbox.db.read(reference.to_owned(), |conn, reference| {
        Box::pin(async move {
            let found = sqlx::query_as!(
                RefundRow,
                "SELECT reference, caller_key, session, amount_minor, currency, status, reason
                 FROM sandbox.refunds WHERE reference = $1",
                reference,
            );
            Ok::<_, DbError>(found.fetch_optional(conn).await?)
        })
    });
    let row = found.await?.ok_or(ProviderError::UnknownReference)?;
    Ok(row.truth())
}

pub(super) async fn refunds_since(
    sandbox: &Sandbox,
    since: OffsetDateTime,
) -> Result<Vec<SeenRefund>, ProviderError> {
    let found = sandbox.db.read(since, |conn, since| {
        Box::pin(async move {
            let found = sqlx::query_as!(
                RefundRow,
                "SELECT reference, caller_key, session, amount_minor, currency, status, reason
                 FROM sandbox.refunds WHERE created_at >= $1 ORDER BY created_at",
                *since,
            );
            Ok::<_, DbError>(found.fetch_all(conn).await?)
        })
    });
    Ok(found.await?.into_iter().map(RefundRow::seen).collect())
}

/// Every refund of a payment.
pub(super) async fn of_sessions(
    conn: &mut PgConnection,
    sessions: &[String],
) -> Result<HashMap<String, Vec<SeenRefund>>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT reference, caller_key, session, amount_minor, currency, status, reason
         FROM sandbox.refunds WHERE session = ANY($1) ORDER BY created_at",
        sessions,
    );
    let mut refunds: HashMap<String, Vec<SeenRefund>> = HashMap::new();
    for row in found.fetch_all(conn).await? {
        refunds
            .entry(row.session.clone())
            .or_default()
            .push(row.seen());
    }
    Ok(refunds)
}

/// Pending refunds succeed when they are due.
pub(super) fn start(tasks: &Tasks, sandbox: Arc<Sandbox>) {
    let timer = Arc::new(Notify::new());
    tasks.job("sandbox_refunds", POLL_INTERVAL, timer, move || {
        let sandbox = sandbox.clone();
        async move {
            let done = sandbox.db.run(sandbox.reporter.clone(), |tx, reporter| {
                Box::pin(pay_out_due(tx, reporter))
            });
            let done = done.await?;
            if done > 0 {
                sandbox.nudge.notify_one();
            }
            Ok(done == BATCH_ROWS)
        }
    });
}

async fn find_or_make(tx: &mut PgConnection, wanted: &Wanted) -> Result<Answer, DbError> {
    let request = &wanted.request;
    let (amount_minor, currency) = (request.amount.amount_minor, request.amount.currency.code());
    // Refunds of one payment take turns, so that what is left here is still left at the insert.
    let session = sqlx::query!(
        r#"SELECT order_id, status, currency, amount_minor - refunded_minor AS "left!", refunds_end
           FROM sandbox.sessions WHERE reference = $1 FOR UPDATE"#,
        request.payment,
    );
    let Some(session) = session.fetch_optional(&mut *tx).await? else {
        return Ok(Answer::NoSuchPayment);
    };
    if let Some(found) = find_by_key(tx, &request.key).await? {
        let same = (
            found.session.as_str(),
            found.amount_minor,
            found.currency.as_str(),
        ) == (request.payment.as_str(), amount_minor, currency);
        return Ok(if same {
            Answer::Stands(found.truth())
        } else {
            Answer::KeyTaken
        });
    }
    let refused = if session.status != "succeeded" {
        Some("the payment has no money to send back")
    } else if session.currency != currency {
        Some("the payment has another currency")
    } else if session.left < amount_minor {
        Some("that is more than is left of the payment")
    } else {
        None
    };
    if let Some(why) = refused {
        return Ok(Answer::Stands(RefundTruth {
            reference: None,
            state: refused_for(why),
        }));
    }
    let row = make(tx, wanted, &session.refunds_end).await?;
    tell(tx, &wanted.reporter, &row, session.order_id).await?;
    Ok(Answer::Stands(row.truth()))
}

async fn find_by_key(tx: &mut PgConnection, key: &str) -> Result<Option<RefundRow>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT reference, caller_key, session, amount_minor, currency, status, reason
         FROM sandbox.refunds WHERE caller_key = $1",
        key,
    );
    Ok(found.fetch_optional(tx).await?)
}

async fn make(
    tx: &mut PgConnection,
    wanted: &Wanted,
    refunds_end: &str,
) -> Result<RefundRow, DbError> {
    let request = &wanted.request;
    let (status, reason) = match refunds_end {
        "late" => ("pending", None),
        "failed" => ("failed", Some("the card's account is closed")),
        _ => ("succeeded", None),
    };
    let made = sqlx::query_as!(
        RefundRow,
        "INSERT INTO sandbox.refunds (reference, caller_key, session, amount_minor, currency, status,
             reason, due_at, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7,
             CASE WHEN $6 = 'pending' THEN clock_timestamp() + make_interval(secs => $8) END,
             CASE WHEN $6 <> 'pending' THEN clock_timestamp() END)
         RETURNING reference, caller_key, session, amount_minor, currency, status, reason",
        wanted.reference,
        request.key,
        request.payment,
        request.amount.amount_minor,
        request.amount.currency.code(),
        status,
        reason,
        wanted.reporter.late.as_secs_f64(),
    );
    Ok(made.fetch_one(tx).await?)
}

/// How many.
async fn pay_out_due(tx: &mut PgConnection, reporter: &Reporter) -> Result<i64, DbError> {
    let due = sqlx::query!(
        r#"UPDATE sandbox.refunds r
           SET status = 'succeeded', ended_at = clock_timestamp()
           FROM sandbox.sessions s
           WHERE s.reference = r.session AND r.reference IN (
               SELECT reference FROM sandbox.refunds
               WHERE status = 'pending' AND due_at <= statement_timestamp()
               ORDER BY due_at LIMIT $1
               FOR UPDATE SKIP LOCKED)
           RETURNING r.reference, r.caller_key, r.session, r.amount_minor, r.currency, r.status,
               r.reason, s.order_id"#,
        BATCH_ROWS,
    );
    let mut done = 0;
    for row in due.fetch_all(&mut *tx).await? {
        let order = row.order_id;
        let row = RefundRow {
            reference: row.reference,
            caller_key: row.caller_key,
            session: row.session,
            amount_minor: row.amount_minor,
            currency: row.currency,
            status: row.status,
            reason: row.reason,
        };
        tell(tx, reporter, &row, order).await?;
        done += 1;
    }
    Ok(done)
}

async fn tell(
    tx: &mut PgConnection,
    reporter: &Reporter,
    row: &RefundRow,
    order: Uuid,
) -> Result<(), DbError> {
    let happened = match row.status.as_str() {
        "pending" => Happened::RefundPending,
        "failed" => Happened::RefundFailed,
        _ => Happened::RefundSucceeded,
    };
    let subject = Subject {
        reference: &row.session,
        refund: Some(&row.reference),
        amount_minor: row.amount_minor,
        currency: &row.currency,
        order: OrderId::from(order),
    };
    reporter
        .report(tx, happened, &subject, Duration::ZERO)
        .await
}

fn refused_for(reason: &str) -> RefundState {
    RefundState::Failed {
        reason: reason.to_owned(),
        final_: true,
    }
}

impl RefundRow {
    fn state(&self) -> RefundState {
        match (self.status.as_str(), &self.reason) {
            ("pending", _) => RefundState::Pending,
            ("failed", reason) => refused_for(reason.as_deref().unwrap_or_default()),
            _ => RefundState::Succeeded,
        }
    }

    fn truth(&self) -> RefundTruth {
        RefundTruth {
            reference: Some(self.reference.clone()),
            state: self.state(),
        }
    }

    fn seen(self) -> SeenRefund {
        SeenRefund {
            state: self.state(),
            reference: self.reference,
            payment: self.session,
            key: self.caller_key,
            amount_minor: self.amount_minor,
            currency: self.currency,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use testkit::eventually;

    use super::*;
    use crate::provider::{Provider as _, sandbox::bench::Bench};

    const PAYS: &str = "4242424242424242";

    #[tokio::test]
    async fn the_same_key_is_the_same_refund() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card(PAYS).await;
        let first = bench.refund(&payment, "key-1", 4000).await;
        assert_eq!(first.state, RefundState::Succeeded);
        let copies = (0..8).map(|_| bench.refund(&payment, "key-1", 4000));
        for copy in join_all(copies).await {
            assert_eq!(copy, first);
        }
        let reference = first.reference.clone().unwrap();
        let fetched = bench.sandbox.fetch_refund(&reference).await.unwrap();
        assert_eq!(fetched, first);
        assert_eq!(bench.ledger().await, [9000, -4000]);

        let truth = bench.sandbox.fetch(&payment).await.unwrap();
        assert!(truth.capture.unwrap().starts_with("ch_"));
        let [seen] = truth.refunds.as_slice() else {
            panic!("{:?}", truth.refunds)
        };
        assert_eq!((&seen.reference, &seen.payment), (&reference, &payment));
        assert_eq!(seen.key.as_deref(), Some("key-1"));
        let unknown = bench.sandbox.fetch_refund("sbr_none").await;
        assert!(matches!(unknown, Err(ProviderError::UnknownReference)));
        bench.end().await;
    }

    #[tokio::test]
    async fn no_more_goes_back_than_came() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card(PAYS).await;
        let keys: Vec<String> = (0..24).map(|n| format!("key-{n}")).collect();
        let all = keys.iter().map(|key| bench.refund(&payment, key, 1000));
        let states: Vec<RefundTruth> = join_all(all).await;
        let made = states.iter().filter(|truth| truth.reference.is_some());
        assert_eq!(made.count(), 9);
        let refused = states.iter().filter(|truth| truth.reference.is_none());
        assert!(refused.clone().count() == 15);
        for truth in refused {
            assert!(matches!(&truth.state, RefundState::Failed { final_, .. } if *final_));
        }
        assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0);
        // Nor by hand.
        let by_hand = sqlx::query(
            "INSERT INTO sandbox.refunds (reference, session, amount_minor, currency)
             SELECT 'sbr_hand', reference, 1, currency FROM sandbox.sessions",
        );
        let refused = by_hand.execute(&bench.pool).await.unwrap_err();
        let refused = refused.as_database_error().unwrap();
        let rule = Some("sessions_refunded_at_most_captured");
        assert_eq!(refused.constraint(), rule);
        // What was not paid has nothing to send back.
        let open = bench.session().await;
        let refused = bench.refund(&open, "key-open", 1).await;
        assert_eq!(refused.reference, None);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_late_refund_is_pending_first() {
        let bench = Bench::start(&["--sandbox-late-ms=700"]).await;
        let payment = bench.with_card("4000000000007726").await;
        let made = bench.refund(&payment, "key", 9000).await;
        assert_eq!(made.state, RefundState::Pending);
        assert_eq!(bench.ledger().await, [9000]);
        let reference = made.reference.unwrap();
        eventually("the refund succeeds", Duration::from_secs(60), || async {
            let truth = bench.sandbox.fetch_refund(&reference).await.unwrap();
            (truth.state == RefundState::Succeeded).then_some(())
        })
        .await;
        assert_eq!(bench.ledger().await, [9000, -9000]);
        eventually("all is reported", Duration::from_secs(60), || async {
            let kinds: Vec<String> = bench.seen().into_iter().map(|(_, kind)| kind).collect();
            let all = ["payment.succeeded", "refund.pending", "refund.succeeded"];
            (kinds.len() == 3 && all.iter().all(|kind| kinds.contains(&(*kind).to_owned())))
                .then_some(())
        })
        .await;
        bench.end().await;
    }

    #[tokio::test]
    async fn a_failed_refund_moves_nothing() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card("4000000000005126").await;
        let made = bench.refund(&payment, "key", 9000).await;
        assert!(matches!(
            &made.state,
            RefundState::Failed { final_: true, .. }
        ));
        assert!(made.reference.is_some());
        assert_eq!(bench.refund(&payment, "key", 9000).await, made);
        assert_eq!(bench.ledger().await, [9000]);
        eventually(
            "the failure is reported",
            Duration::from_secs(60),
            || async {
                let seen = bench.seen();
                seen.iter()
                    .any(|(_, kind)| kind == "refund.failed")
                    .then_some(())
            },
        )
        .await;
        bench.end().await;
    }

    #[tokio::test]
    async fn a_refund_made_by_hand_is_listed() {
        let bench = Bench::start(&[]).await;
        let payment = bench.with_card(PAYS).await;
        let begin = bench.sandbox.sources.now() - Duration::from_secs(60);
        sqlx::query(
            "INSERT INTO sandbox.refunds (reference, session, amount_minor, currency)
             SELECT 'sbr_hand', reference, 500, currency FROM sandbox.sessions",
        )
        .execute(&bench.pool)
        .await
        .unwrap();
        let seen = bench.sandbox.refunds_since(begin).await.unwrap();
        let by_hand = SeenRefund {
            reference: "sbr_hand".to_owned(),
            payment,
            key: None,
            amount_minor: 500,
            currency: "EUR".to_owned(),
            state: RefundState::Succeeded,
        };
        assert_eq!(seen, [by_hand]);
        let later = bench.sandbox.sources.now() + Duration::from_secs(60);
        assert_eq!(bench.sandbox.refunds_since(later).await.unwrap(), []);
        assert_eq!(bench.ledger().await, [9000, -500]);
        bench.end().await;
    }
}
