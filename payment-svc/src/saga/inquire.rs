//! Asking the provider how a payment stands, and believing it.

use super::{Report, note_seen, settle};
use crate::{
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus},
    error::Error,
    provider::{Closing, PaymentStatus, Provider, ProviderError, bounded},
    store::{AttemptRow, By},
};

/// Asks about an attempt that the provider knows, and applies its answer, with the refunds that it
/// names. None: it is open there, or still without an outcome, and nothing has changed.
pub(crate) async fn inquire(
    app: &App,
    attempt: &AttemptRow,
    by: By,
) -> Result<Option<OrderStatus>, Error> {
    let Some(reference) = attempt.provider_ref.as_deref() else {
        return Ok(None);
    };
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    if !provider.capabilities().tells_truth {
        return Ok(None);
    }
    let truth = bounded(provider.fetch(reference)).await?;
    let report = match Report::read(&truth, attempt) {
        Some(report) => report,
        // The page would take another card. Another attempt may start only once this one is closed.
        None if truth.status == PaymentStatus::Declined => {
            close(provider.as_ref(), attempt, reference)
                .await?
                .unwrap_or(Report::Failed)
        }
        None => return Ok(None),
    };
    if report == Report::Pending && attempt.status()? == AttemptStatus::Processing {
        // No news: the order waits for the outcome already.
        return Ok(None);
    }
    let status = settle(app, attempt, report, by.clone()).await?;
    if !truth.refunds.is_empty() {
        note_seen(app, attempt, &truth.refunds, by).await?;
    }
    Ok(Some(status))
}

/// Closes a payment at the provider. Answers what happened instead if the money was faster, or the
/// guest had done their part already.
pub(super) async fn close(
    provider: &dyn Provider,
    attempt: &AttemptRow,
    reference: &str,
) -> Result<Option<Report>, ProviderError> {
    match bounded(provider.close(reference)).await? {
        Closing::Closed => Ok(None),
        Closing::Pending => Ok(Some(Report::Pending)),
        Closing::Paid => {
            let truth = bounded(provider.fetch(reference)).await?;
            let report = Report::read(&truth, attempt).ok_or(ProviderError::Undecided)?;
            Ok(Some(report))
        }
    }
}
