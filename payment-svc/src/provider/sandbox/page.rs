//! The hosted page: what it shows, and what a card does.

use base::Sources;
use db::DbError;
use kit::FieldProblem;
use proto::payment::{SandboxSession, SandboxSessionStatus};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Sandbox,
    card::{self, CardOutcome},
    event::{self, Happened, Subject},
};
use crate::error::Error;

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

    /// Pays or declines; the webhook is a row of the same transaction. A session that is over takes no
    /// card and is answered as it stands.
    pub async fn submit(&self, reference: &str, card: &Card) -> Result<SandboxSession, Error> {
        check_reference(reference)?;
        check(card, self.sources.now())?;
        let input = (
            reference.to_owned(),
            card::outcome(&card.number),
            self.sources.clone(),
        );
        let submit = self.db.run(input, |tx, (reference, outcome, sources)| {
            Box::pin(settle(tx, reference, *outcome, sources))
        });
        let session = submit.await?.ok_or(Error::SessionNotFound)?;
        self.nudge.notify_one();
        Ok(session)
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

async fn settle(
    tx: &mut PgConnection,
    reference: &str,
    outcome: CardOutcome,
    sources: &Sources,
) -> Result<Option<SandboxSession>, Error> {
    let (paid, declined) = (
        outcome == CardOutcome::Paid,
        outcome == CardOutcome::Declined,
    );
    // One card wins: of two that are submitted at once, the second finds the session settled.
    let taken = sqlx::query!(
        "UPDATE sandbox.sessions
         SET status = CASE WHEN $2 THEN 'succeeded' ELSE status END,
             settled_at = CASE WHEN $2 THEN clock_timestamp() END,
             declines = declines + CASE WHEN $2 THEN 0 ELSE 1 END
         WHERE reference = $1 AND status = 'open' AND expires_at > clock_timestamp()",
        reference,
        paid,
    );
    let taken = taken.execute(&mut *tx).await?.rows_affected() == 1;
    let Some(row) = find(tx, reference).await? else {
        return Ok(None);
    };
    let mut session = row.wire();
    if taken {
        let happened = if paid {
            Happened::Succeeded
        } else {
            Happened::Failed
        };
        report(tx, sources, happened, &row).await?;
    }
    if taken && declined {
        session.status = SandboxSessionStatus::Declined.into();
    }
    Ok(Some(session))
}

async fn report(
    tx: &mut PgConnection,
    sources: &Sources,
    happened: Happened,
    row: &SessionRow,
) -> Result<(), DbError> {
    let subject = Subject {
        reference: &row.reference,
        amount_minor: row.amount_minor,
        currency: &row.currency,
        order_id: row.order_id,
    };
    let (event_id, body) = event::write(sources, happened, &subject);
    sqlx::query!(
        "INSERT INTO sandbox.deliveries (event_id, reference, body) VALUES ($1, $2, $3)",
        event_id,
        row.reference,
        body,
    )
    .execute(tx)
    .await?;
    Ok(())
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
    fn wire(&self) -> SandboxSession {
        let status = match self.status.as_str() {
            "succeeded" => SandboxSessionStatus::Succeeded,
            "open" if !self.over => SandboxSessionStatus::Open,
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
