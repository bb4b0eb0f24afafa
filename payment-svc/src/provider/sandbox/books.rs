//! The sandbox's own books: what it was asked to collect, and what it collected.

use std::{collections::HashMap, sync::Arc};

use db::{Db, DbError};
use sqlx::PgConnection;

use super::{Sandbox, refunds};
use crate::{
    error::Error,
    provider::{Closing, PaymentRequest, PaymentStatus, ProviderError, Truth},
};

/// The reference of the session with the request's key, made if it is not there.
pub(super) async fn open_session(
    sandbox: &Sandbox,
    request: &PaymentRequest,
) -> Result<String, ProviderError> {
    let reference = format!("sbx_{}", sandbox.sources.token());
    let input = (reference, request.clone());
    let open = sandbox.db.run(input, |tx, (reference, request)| {
        Box::pin(async move {
            let amount = request.amount;
            sqlx::query!(
                "INSERT INTO sandbox.sessions (reference, caller_key, amount_minor, currency,
                     description, return_url, order_id, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (caller_key) DO NOTHING",
                reference,
                request.key,
                amount.amount_minor,
                amount.currency.code(),
                request.description,
                request.return_url,
                request.order.uuid(),
                request.deadline,
            )
            .execute(&mut *tx)
            .await?;
            let found = sqlx::query_scalar!(
                "SELECT reference FROM sandbox.sessions WHERE caller_key = $1",
                request.key,
            );
            Ok::<_, DbError>(found.fetch_one(tx).await?)
        })
    });
    Ok(open.await?)
}

pub(super) async fn truth(sandbox: &Sandbox, reference: &str) -> Result<Truth, ProviderError> {
    let answer = sandbox.questions.submit(reference.to_owned()).await;
    answer
        .map_err(|error| match error {
            Error::Db(error) => ProviderError::Db(error),
            error => ProviderError::Unreachable(error.to_string()),
        })?
        .ok_or(ProviderError::UnknownReference)
}

/// How the payments with these references stand; None where there is no such one.
pub(super) async fn truths(
    session: Db,
    references: Arc<[String]>,
) -> Result<Vec<Option<Truth>>, Error> {
    let read = session.read(references.clone(), |conn, references| {
        Box::pin(read_truths(conn, references))
    });
    let found = read.await?;
    let of = |reference: &String| found.get(reference).cloned();
    Ok(references.iter().map(of).collect())
}

async fn read_truths(
    conn: &mut PgConnection,
    references: &[String],
) -> Result<HashMap<String, Truth>, Error> {
    let sessions = sqlx::query!(
        r#"SELECT reference, amount_minor, currency, status, declines, charge AS "charge!",
               expires_at <= clock_timestamp() AS "over!"
           FROM sandbox.sessions WHERE reference = ANY($1)"#,
        references,
    );
    let sessions = sessions.fetch_all(&mut *conn).await?;
    let mut refunds = refunds::of_sessions(conn, references).await?;
    let truths = sessions.into_iter().map(|session| {
        let status = match (session.status.as_str(), session.declines > 0) {
            ("succeeded", _) => PaymentStatus::Paid,
            ("pending", _) => PaymentStatus::Pending,
            ("open", true) if !session.over => PaymentStatus::Declined,
            ("open" | "approval", _) if !session.over => PaymentStatus::Open,
            (_, true) => PaymentStatus::Failed,
            (_, false) => PaymentStatus::Closed,
        };
        let truth = Truth {
            capture: Some(session.charge).filter(|_| status == PaymentStatus::Paid),
            refunds: refunds.remove(&session.reference).unwrap_or_default(),
            reference: session.reference,
            status,
            amount_minor: session.amount_minor,
            currency: session.currency,
        };
        (truth.reference.clone(), truth)
    });
    Ok(truths.collect())
}

pub(super) async fn close_session(
    sandbox: &Sandbox,
    reference: &str,
) -> Result<Closing, ProviderError> {
    let close = sandbox.db.run(reference.to_owned(), |tx, reference| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE sandbox.sessions SET status = 'closed', settled_at = clock_timestamp()
                 WHERE reference = $1
                   AND (status IN ('open', 'approval') OR (status = 'pending' AND closes))",
                reference,
            )
            .execute(&mut *tx)
            .await?;
            let now = sqlx::query_scalar!(
                "SELECT status FROM sandbox.sessions WHERE reference = $1",
                reference,
            );
            Ok::<_, DbError>(now.fetch_optional(tx).await?)
        })
    });
    match close.await?.as_deref() {
        Some("succeeded") => Ok(Closing::Paid),
        Some("pending") => Ok(Closing::Pending),
        Some(_) => Ok(Closing::Closed),
        None => Err(ProviderError::UnknownReference),
    }
}
