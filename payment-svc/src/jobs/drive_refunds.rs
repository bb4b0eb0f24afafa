//! Drives every refund to its end from its stored state, whoever crashed where: its tickets are void,
//! the provider is asked, and asked again. A refund is claimed by a short statement that says when it
//! is due again; the work is outside of any transaction, and each step may be repeated.

use std::sync::Arc;

use base::{Money, RefundId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::room::{Room, count};
use crate::{
    app::App,
    domain::refund_state::RefundStatus,
    error::Error,
    provider::{Provider, ProviderError, RefundRequest, RefundState, RefundTruth, bounded},
    refunds::{self, RefundRow},
    saga::{self, Payer, Voided},
    store::{self, AttemptRow, By},
};

/// A refund whose driver crashed comes again after this long. Its tickets, and the provider twice.
const LEASE_SECS: f64 = 45.0;
const ACTOR: &str = "saga";

struct Claim {
    id: Uuid,
    /// The lease. Whoever sets another time wants another look, and keeps it.
    lease: OffsetDateTime,
    step_failures: i32,
    traceparent: Option<String>,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>, room: Arc<Room>) -> anyhow::Result<bool> {
    let places = room.places().await?;
    let due = claim(&app, count(&places)).await?;
    let more = due.len() == places.len();
    for (claim, place) in due.into_iter().zip(places) {
        let shared = app.clone();
        app.tasks.spawn(async move {
            let step = Box::pin(drive_or_retry(&shared, &claim));
            let traceparent = claim.traceparent.as_deref();
            if let Err(error) = super::resume("drive refund", traceparent, step).await {
                // Its lease runs out, and somebody takes it up.
                tracing::warn!(refund = %claim.id, %error, "the next step could not be scheduled");
            }
            drop(place);
        });
    }
    Ok(more)
}

async fn claim(app: &App, rows: i64) -> Result<Vec<Claim>, Error> {
    let claim = app.queue.run(rows, |tx, rows| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                r#"UPDATE refunds SET next_step_at = clock_timestamp() + make_interval(secs => $2)
                   WHERE id IN (
                       SELECT id FROM refunds WHERE next_step_at <= statement_timestamp()
                       ORDER BY next_step_at
                       LIMIT $1
                       FOR UPDATE SKIP LOCKED)
                   RETURNING id, next_step_at AS "lease!", step_failures, traceparent"#,
                *rows,
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

/// Fails only if the database does.
async fn drive_or_retry(app: &App, claim: &Claim) -> Result<(), Error> {
    let refund = find(app, claim.id.into()).await?;
    let Err(error) = drive(app, &refund).await else {
        return Ok(());
    };
    if let Error::ProviderNotEnabled = error {
        return saga::wait_for_provider(app, &refund, claim.lease).await;
    }
    tracing::warn!(refund = %claim.id, %error, "step failed, trying again");
    let failures = claim.step_failures.saturating_add(1);
    saga::postpone(app, &refund, claim.lease, failures).await
}

async fn drive(app: &App, refund: &RefundRow) -> Result<(), Error> {
    match refund.status()? {
        RefundStatus::External => match saga::void_tickets(app, refund, By::now(ACTOR)).await? {
            Voided::Yes => Ok(()),
            Voided::TooEarly => Err(Error::TicketsNotReady),
            Voided::TooFew => Err(Error::RefundTooLarge),
        },
        RefundStatus::Requested => match saga::void_tickets(app, refund, By::now(ACTOR)).await? {
            Voided::Yes => send(app, refund).await,
            Voided::TooEarly => Err(Error::TicketsNotReady),
            Voided::TooFew => {
                let why = "fewer valid tickets are left than it gives back";
                saga::withdraw(app, refund, why, By::now(ACTOR)).await
            }
        },
        RefundStatus::Failed => send(app, refund).await,
        RefundStatus::Submitted => ask(app, refund).await,
        RefundStatus::Succeeded | RefundStatus::FailedFinal => Ok(()),
    }
}

async fn send(app: &App, refund: &RefundRow) -> Result<(), Error> {
    let payer = match payer(app, refund)? {
        Some(_) => Payer::Provider,
        None => Payer::Person,
    };
    if !saga::submit(app, refund, payer, By::now(ACTOR)).await? {
        return Ok(());
    }
    kit::failpoint!("refund.submitted");
    match payer {
        Payer::Provider => ask(app, refund).await,
        Payer::Person => Ok(()),
    }
}

/// The provider that sends the money back; none if a person has to. Error::ProviderNotEnabled if it was
/// asked before and cannot be asked now: it may have sent it.
fn payer<'a>(app: &'a App, refund: &RefundRow) -> Result<Option<&'a dyn Provider>, Error> {
    match app.providers.get(&refund.provider) {
        Some(provider) => {
            let provider = provider.as_ref();
            Ok(provider.capabilities().refunds.then_some(provider))
        }
        None if refund.status()? == RefundStatus::Requested => Ok(None),
        None => Err(Error::ProviderNotEnabled),
    }
}

/// Asking again by the same key is how the outcome of a lost answer is learnt.
async fn ask(app: &App, refund: &RefundRow) -> Result<(), Error> {
    let by = By::now(&refund.provider);
    let Some(provider) = payer(app, refund)? else {
        return saga::leave_to_a_person(app, refund, by).await;
    };
    let attempt = attempt_of(app, refund).await?;
    let answer = match &refund.provider_ref {
        Some(reference) => bounded(provider.fetch_refund(reference)).await,
        None => {
            let request = request(refund, &attempt)?;
            bounded(provider.refund(&request)).await
        }
    };
    kit::failpoint!("refund.provider_done");
    let truth = match answer {
        Ok(truth) => truth,
        Err(ProviderError::Refused(reason)) => RefundTruth {
            reference: None,
            state: RefundState::Failed {
                reason,
                final_: true,
            },
        },
        Err(ProviderError::Cannot) => return saga::leave_to_a_person(app, refund, by).await,
        Err(error) => return Err(error.into()),
    };
    // Perhaps because somebody else had sent the money back there: then nobody has to pay it out.
    let seen = match truth.state {
        RefundState::Failed { final_: true, .. } => saga::seen_refunds(app, &attempt).await?,
        _ => Vec::new(),
    };
    saga::apply_truth(app, refund, truth, by.clone()).await?;
    kit::failpoint!("refund.succeeded");
    saga::note_seen(app, &attempt, &seen, by).await?;
    Ok(())
}

fn request(refund: &RefundRow, attempt: &AttemptRow) -> Result<RefundRequest, Error> {
    let currency = refund
        .currency
        .parse()
        .map_err(|_| Error::Broken("a refund has no currency"))?;
    let payment = attempt.provider_ref.clone();
    Ok(RefundRequest {
        refund: refund.refund_id(),
        key: refund.provider_key(),
        order: refund.order(),
        payment: payment.ok_or(Error::Broken("money arrived without a reference"))?,
        capture: attempt.capture_ref.clone(),
        amount: Money::new(refund.amount_minor, currency),
    })
}

async fn find(app: &App, id: RefundId) -> Result<RefundRow, Error> {
    let find = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let found = refunds::find(conn, *id).await?;
            found.ok_or(Error::NotFound("refund"))
        })
    });
    find.await
}

async fn attempt_of(app: &App, refund: &RefundRow) -> Result<AttemptRow, Error> {
    let find = app.db.read(refund.attempt_id, |conn, id| {
        Box::pin(async move {
            let found = store::find_attempt(conn, *id).await?;
            found.ok_or(Error::Broken("a refund has no payment"))
        })
    });
    find.await
}
