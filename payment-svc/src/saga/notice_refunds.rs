//! Refunds that the provider's books have: what became of ours, and those that somebody else made.

use base::RefundId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    advance_refund::{apply_truth, pay_out},
    announce::Announcement,
    follow_money::follow_money,
    given_back::give_back_the_rest,
    send_back::{order_status, too_large},
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundStatus},
    error::Error,
    provider::{RefundState, RefundTruth, SeenRefund, bounded},
    refunds::{self, RefundRow},
    store::{self, AttemptRow, By},
};

/// The order's note.
const REFUND_EXTERNAL: &str = "refund_external";
const PARTLY_BACK: &str = "A part of the money was sent back at the provider itself; its tickets are still valid. Decide which of them it was for.";
const DOES_NOT_FIT: &str =
    "The provider's books show a refund that is more than is left of the payment here.";

/// What a look at the provider's books came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Something was stored.
    pub news: bool,
    /// Something could not be stored yet: look again.
    pub again: bool,
}

/// Asks the provider which refunds the payment has. True if there was news.
pub(crate) async fn notice_refunds(app: &App, attempt: &AttemptRow, by: By) -> Result<bool, Error> {
    let seen = seen_refunds(app, attempt).await?;
    note_seen(app, attempt, &seen, by).await
}

/// The refunds of the payment in the provider's books; none where it has no books to read.
pub(crate) async fn seen_refunds(
    app: &App,
    attempt: &AttemptRow,
) -> Result<Vec<SeenRefund>, Error> {
    let Some(reference) = attempt.provider_ref.as_deref() else {
        return Ok(Vec::new());
    };
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    if !provider.capabilities().tells_truth {
        return Ok(Vec::new());
    }
    Ok(bounded(provider.fetch(reference)).await?.refunds)
}

/// Stores the news among the refunds that a provider named. True if there was any.
pub(crate) async fn note_seen(
    app: &App,
    attempt: &AttemptRow,
    seen: &[SeenRefund],
    by: By,
) -> Result<bool, Error> {
    Ok(note_all(app, attempt, seen, by).await?.news)
}

/// Like `note_seen`, and says whether to look again. What failed goes first: it makes room for what was
/// sent back instead.
pub(crate) async fn note_all(
    app: &App,
    attempt: &AttemptRow,
    seen: &[SeenRefund],
    by: By,
) -> Result<Noted, Error> {
    let mut noted = Noted::default();
    let failed = |seen: &&SeenRefund| matches!(seen.state, RefundState::Failed { .. });
    let others = seen.iter().filter(|seen| !failed(seen));
    for seen in seen.iter().filter(failed).chain(others) {
        let one = note_one(app, attempt, seen, by.clone()).await?;
        noted.news |= one.news;
        noted.again |= one.again;
    }
    Ok(noted)
}

async fn note_one(
    app: &App,
    attempt: &AttemptRow,
    seen: &SeenRefund,
    by: By,
) -> Result<Noted, Error> {
    let id: Option<Uuid> = seen.key.as_deref().and_then(refunds::of_key);
    let input = (attempt.id, seen.reference.clone(), id);
    let find = app.db.read(input, |conn, (attempt, reference, id)| {
        Box::pin(refunds::find_at_provider(conn, *attempt, reference, *id))
    });
    if let Some(ours) = find.await? {
        let news = !is_known(&ours, seen)? && {
            let truth = RefundTruth {
                reference: Some(seen.reference.clone()),
                state: seen.state.clone(),
            };
            apply_truth(app, &ours, truth, by).await?
        };
        return Ok(Noted { news, again: false });
    }
    match seen.state {
        // It may still fail: nothing of it is sure before the money is gone.
        RefundState::Pending => Ok(Noted {
            news: false,
            again: true,
        }),
        RefundState::Failed { .. } => Ok(Noted::default()),
        RefundState::Succeeded => record_external(app, attempt, seen, by).await,
    }
}

/// Paid out is paid out, unless the provider takes back that very money. A no is news of the key that was
/// asked for last.
fn is_known(ours: &RefundRow, seen: &SeenRefund) -> Result<bool, Error> {
    let same = ours.provider_ref.as_ref() == Some(&seen.reference);
    let paid_out = ours.status()?.is_paid_out();
    Ok(match seen.state {
        RefundState::Pending => paid_out || same,
        RefundState::Succeeded => paid_out,
        RefundState::Failed { .. } => {
            let asked = !paid_out && seen.key.as_ref() == Some(&ours.provider_key());
            !same && !asked
        }
    })
}

/// Somebody else sent this back. Too much of it is put before a person: another refund of ours, which
/// the provider will not carry out any more, may still be counted.
async fn record_external(
    app: &App,
    attempt: &AttemptRow,
    seen: &SeenRefund,
    by: By,
) -> Result<Noted, Error> {
    let external = External {
        id: RefundId::new(&app.sources),
        attempt: attempt.clone(),
        seen: seen.clone(),
        announcement: Announcement::of(app, attempt.order_id.into()).await?,
        by,
    };
    let record = app.db.run(external.clone(), |tx, external| {
        Box::pin(external.record(tx))
    });
    match record.await {
        Ok(news) => {
            app.nudges.refunds.notify_one();
            app.nudges.outbox.notify_one();
            Ok(Noted { news, again: false })
        }
        Err(Error::RefundTooLarge) => {
            let tell = app.db.run(external, |tx, external| {
                Box::pin(async move {
                    let order = external.attempt.order_id.into();
                    order_status(tx, order).await?;
                    store::ask_for_attention(tx, order, DOES_NOT_FIT).await?;
                    Ok::<_, Error>(())
                })
            });
            tell.await?;
            Ok(Noted {
                news: false,
                again: true,
            })
        }
        Err(error) => Err(error),
    }
}

#[derive(Clone)]
struct External {
    id: RefundId,
    attempt: AttemptRow,
    seen: SeenRefund,
    announcement: Announcement,
    by: By,
}

impl External {
    /// False if it is known.
    async fn record(&self, tx: &mut PgConnection) -> Result<bool, Error> {
        let order = self.attempt.order_id.into();
        let status = order_status(tx, order).await?;
        let news = match self.paid_out_by_a_person(tx).await? {
            Some(refund) => self.name(tx, &refund).await?,
            None => self.count(tx, status).await?,
        };
        store::attention_is_over(tx, order, DOES_NOT_FIT).await?;
        Ok(news)
    }

    async fn count(&self, tx: &mut PgConnection, status: OrderStatus) -> Result<bool, Error> {
        let order = self.attempt.order_id.into();
        let (left, currency) = self.left(tx).await?;
        if currency.as_ref() != Some(&self.seen.currency) {
            return Err(Error::RefundTooLarge);
        }
        let may_have_tickets = status == OrderStatus::Paid || status.has_tickets();
        let takes_all = may_have_tickets && left == self.seen.amount_minor;
        // While tickets are being issued the order cannot follow yet.
        let waits = takes_all || status == OrderStatus::Paid;
        if !self.insert(tx, takes_all, waits).await? {
            return Ok(false);
        }
        store::note(tx, order, status, &self.by, REFUND_EXTERNAL).await?;
        if takes_all {
            // The tickets first, then the order: the driver does it.
            give_back_the_rest(tx, self.id, order).await?;
            return Ok(true);
        }
        follow_money(tx, order, status, &self.by).await?;
        if may_have_tickets {
            store::ask_for_attention(tx, order, PARTLY_BACK).await?;
        }
        Ok(true)
    }

    /// What a person paid out for us at the provider is in its books without our key: a refund of as
    /// much that was settled already, or waits for that.
    async fn paid_out_by_a_person(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Option<RefundRow>, Error> {
        let id = sqlx::query_scalar!(
            "SELECT r.id FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id
             WHERE r.attempt_id = $1 AND r.amount_minor = $2 AND r.currency = $3
               AND (r.status = 'succeeded' AND r.provider_ref IS NULL
                    OR r.status = 'submitted' AND r.next_step_at IS NULL
                    OR r.status = 'failed_final' AND (r.voids = 'none' OR r.tickets_voided_at IS NOT NULL)
                       AND r.amount_minor <= a.captured_minor - a.refunded_minor)
             ORDER BY r.status = 'succeeded' DESC, r.number LIMIT 1",
            self.attempt.id,
            self.seen.amount_minor,
            self.seen.currency,
        );
        match id.fetch_optional(&mut *tx).await? {
            Some(id) => Ok(refunds::find(tx, id.into()).await?),
            None => Ok(None),
        }
    }

    /// It gets the provider's name of the money, and is not counted again. True if that it was paid out
    /// is news.
    async fn name(&self, tx: &mut PgConnection, refund: &RefundRow) -> Result<bool, Error> {
        if refund.status()? != RefundStatus::Succeeded {
            let reference = Some(self.seen.reference.as_str());
            return pay_out(tx, refund, reference, (&self.announcement, &self.by)).await;
        }
        sqlx::query!(
            "UPDATE refunds SET provider_ref = $2 WHERE id = $1",
            refund.id,
            self.seen.reference,
        )
        .execute(tx)
        .await?;
        Ok(false)
    }

    /// Of every payment of the order, and the currency of this one; none while nothing arrived.
    async fn left(&self, tx: &mut PgConnection) -> Result<(i64, Option<String>), Error> {
        let left = sqlx::query!(
            r#"SELECT coalesce(sum(captured_minor - refunded_minor), 0)::bigint AS "left!",
                   max(captured_currency) FILTER (WHERE id = $2) AS currency
               FROM payment_attempts WHERE order_id = $1"#,
            self.attempt.order_id,
            self.attempt.id,
        );
        let row = left.fetch_one(tx).await?;
        Ok((row.left, row.currency))
    }

    async fn insert(
        &self,
        tx: &mut PgConnection,
        takes_all: bool,
        waits: bool,
    ) -> Result<bool, Error> {
        let inserted = sqlx::query!(
            "INSERT INTO refunds (id, order_id, attempt_id, number, provider, amount_minor, currency,
                 reason, status, voids, provider_ref, requested_by, next_step_at, trace_id,
                 traceparent, ended_at, paid_out_at)
             SELECT $1, $2, $3,
                 (SELECT coalesce(max(number), 0) + 1 FROM refunds WHERE order_id = $2),
                 $4, $5, $6, 'external', 'external', CASE WHEN $7 THEN 'all' ELSE 'none' END, $8, $4,
                 CASE WHEN $11 THEN clock_timestamp() END, $9, $10, clock_timestamp(),
                 clock_timestamp()
             ON CONFLICT DO NOTHING",
            self.id.uuid(),
            self.attempt.order_id,
            self.attempt.id,
            self.attempt.provider,
            self.seen.amount_minor,
            self.seen.currency,
            takes_all,
            self.seen.reference,
            self.by.trace_id(),
            self.by.traceparent(),
            waits,
        );
        let inserted = inserted.execute(tx).await.map_err(too_large)?;
        Ok(inserted.rows_affected() == 1)
    }
}
