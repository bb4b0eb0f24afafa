//! Asks each provider for the refunds in its books: what webhooks did not tell, and what somebody
//! else sent back there. At the start, and hourly.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use crate::{
    app::App,
    error::Error,
    provider::{Provider, RefundState, SeenRefund, bounded},
    saga,
    store::{self, By},
};

const EVERY: Duration = Duration::hours(1);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::minutes(1);
/// Two looks overlap: a provider may list a refund a little late.
const OVERLAP: Duration = Duration::hours(1);
/// How far the first look of a process goes back.
const FIRST_LOOK: Duration = Duration::days(7);

/// How far each provider's books were read.
#[derive(Default)]
pub(super) struct Cursors(Mutex<HashMap<&'static str, Cursor>>);

struct Cursor {
    /// The start of the last look that went well.
    read_at: Option<OffsetDateTime>,
    due_at: OffsetDateTime,
    /// Payments with refunds that could not be stored yet.
    open: HashSet<String>,
}

pub(super) async fn round(app: Arc<App>, cursors: Arc<Cursors>) -> anyhow::Result<bool> {
    let mut cursors = cursors.0.lock().await;
    let now = app.sources.now();
    for provider in app.providers.all() {
        if !provider.capabilities().refunds {
            continue;
        }
        let cursor = cursors.entry(provider.name()).or_insert_with(|| Cursor {
            read_at: None,
            due_at: now,
            open: HashSet::new(),
        });
        if cursor.due_at > now {
            continue;
        }
        let look = Box::pin(look(&app, provider.as_ref(), cursor, now));
        match super::resume("reconcile refunds", None, look).await {
            Ok(open) => {
                cursor.open = open;
                cursor.read_at = Some(now);
                cursor.due_at = now + EVERY;
            }
            Err(error) => {
                tracing::warn!(provider = provider.name(), %error, "refunds not reconciled");
                cursor.due_at = now + AGAIN_AFTER;
            }
        }
    }
    Ok(false)
}

/// Answers the payments that have to be looked at again.
async fn look(
    app: &App,
    provider: &dyn Provider,
    cursor: &Cursor,
    now: OffsetDateTime,
) -> Result<HashSet<String>, Error> {
    let since = match cursor.read_at {
        Some(read_at) => read_at - OVERLAP,
        None => now - FIRST_LOOK,
    };
    // Each page of it is bounded; a great many refunds have many.
    let mut seen = provider.refunds_since(since).await?;
    let mut open = HashSet::new();
    for payment in &cursor.open {
        match bounded(provider.fetch(payment)).await {
            Ok(truth) => seen.extend(truth.refunds),
            Err(error) => {
                tracing::warn!(payment, %error, "refunds of a payment not read");
                open.insert(payment.clone());
            }
        }
    }
    let mut by_payment: HashMap<String, Vec<SeenRefund>> = HashMap::new();
    for refund in unknown(app, provider, seen).await? {
        by_payment
            .entry(refund.payment.clone())
            .or_default()
            .push(refund);
    }
    for (payment, refunds) in by_payment {
        if note(app, provider, &payment, &refunds).await? {
            open.insert(payment);
        }
    }
    Ok(open)
}

/// Without those that have come to their end here too. One that failed is looked at all the same: it may
/// have been paid out before.
async fn unknown(
    app: &App,
    provider: &dyn Provider,
    seen: Vec<SeenRefund>,
) -> Result<Vec<SeenRefund>, Error> {
    let references: Vec<String> = seen.iter().map(|seen| seen.reference.clone()).collect();
    let find = app.db.read(
        (provider.name(), references),
        |conn, (provider, references)| {
            Box::pin(async move {
                let known = sqlx::query_scalar!(
                    r#"SELECT provider_ref AS "known!" FROM refunds
                       WHERE provider = $1 AND provider_ref = ANY($2)
                         AND status IN ('succeeded', 'external')"#,
                    *provider,
                    references,
                );
                Ok::<_, Error>(known.fetch_all(conn).await?)
            })
        },
    );
    let known: HashSet<String> = find.await?.into_iter().collect();
    Ok(seen
        .into_iter()
        .filter(|seen| {
            matches!(seen.state, RefundState::Failed { .. }) || !known.contains(&seen.reference)
        })
        .collect())
}

/// True if the payment is to be looked at again.
async fn note(
    app: &App,
    provider: &dyn Provider,
    payment: &str,
    refunds: &[SeenRefund],
) -> Result<bool, Error> {
    let input = (provider.name(), payment.to_owned());
    let find = app.db.read(input, |conn, (provider, payment)| {
        Box::pin(store::find_attempt_by_reference(conn, provider, payment))
    });
    // The account at the provider may serve others too.
    let Some(attempt) = find.await? else {
        return Ok(false);
    };
    let by = By::now(provider.name());
    Ok(saga::note_all(app, &attempt, refunds, by).await?.again)
}
