//! `created → cancelled`: the hold could not be bound. The reason stays on the order, and a replay
//! hears it again.

use base::OrderId;

use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::{Error, Refusal},
    store::{self, By, Step},
};

/// Answers the refusal that the order ended with: another caller may have been first. None if the
/// order went another way meanwhile, bound by a copy of the call or cancelled by its guest.
pub(crate) async fn refuse(
    app: &App,
    id: OrderId,
    refusal: Refusal,
    by: By,
) -> Result<Option<Refusal>, Error> {
    let step = Step {
        order: id,
        from: OrderStatus::Created,
        to: OrderStatus::Cancelled,
        by,
        reason: refusal.reason.word().to_owned(),
    };
    let record = app.db.run((step, refusal), |tx, (step, refusal)| {
        Box::pin(async move {
            if store::advance(tx, step).await? {
                sqlx::query!(
                    "UPDATE orders SET refusal_reason = $2, refusal_detail = $3, refusal_facts = $4
                     WHERE id = $1",
                    step.order.uuid(),
                    refusal.reason.word(),
                    refusal.detail,
                    facts(&refusal.facts),
                )
                .execute(&mut *tx)
                .await?;
            }
            let order = store::find_order(tx, step.order)
                .await?
                .ok_or(Error::OrderNotFound)?;
            Ok::<_, Error>(order.refusal())
        })
    });
    let stored = record.await?;
    app.nudges.orders.notify_one();
    Ok(stored)
}

fn facts(facts: &[(String, String)]) -> Option<serde_json::Value> {
    let facts = facts
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()));
    Some(serde_json::Value::Object(facts.collect())).filter(|facts| *facts != serde_json::json!({}))
}
