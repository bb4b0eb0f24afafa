//! A person decides about an order whose payment is not what was asked for.

use std::sync::Arc;

use base::bounded_multiline;
use kit::FieldProblem;
use proto::payment::{MismatchDecision, ResolveMismatchRequest, ResolveMismatchResponse};
use serde_json::{Value, json};
use tonic::Request;

use super::{confirm_payment::NOTE_MAX_CHARS, sight::Caller};
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, Decision, Ended, Ending},
    store::{self, Audit, By, OrderRow, Step},
    view,
};

pub(in crate::rpc) async fn resolve_mismatch(
    app: &Arc<App>,
    request: Request<ResolveMismatchRequest>,
) -> Result<ResolveMismatchResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let wish = Wish::read(&request)?;
    let order = caller.order(app, &request.order_id).await?;
    let id = order.order_id();
    let audit = Audit {
        by: By::now(&caller.actor()),
        action: "mismatch.resolve",
        object: order.id.to_string(),
        before: before(app, &order).await?,
        after: json!({ "decision": wish.what.word(), "note": wish.note }),
    };
    app.tasks
        .complete(resolve(app.clone(), order, wish.what, audit))
        .await?;
    Ok(ResolveMismatchResponse {
        order: Some(view::order(app, id).await?),
    })
}

/// What was asked for, and what came.
async fn before(app: &App, order: &OrderRow) -> Result<Value, Error> {
    let attempts = app.db.read(order.order_id(), |conn, id| {
        Box::pin(store::attempts(conn, *id))
    });
    let attempts = attempts.await?;
    let came = attempts.iter().filter(|attempt| attempt.captured_minor > 0);
    let came = came.map(|attempt| {
        json!({ "amount_minor": attempt.captured_minor, "currency": attempt.captured_currency })
    });
    Ok(json!({
        "status": order.status,
        "total_amount_minor": order.total_amount_minor,
        "currency": order.currency,
        "captured": came.collect::<Vec<_>>(),
    }))
}

struct Wish {
    what: What,
    note: String,
}

#[derive(Clone, Copy)]
enum What {
    Accept,
    Refund,
    Cancel,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
        }
    }
}

impl Wish {
    fn read(request: &ResolveMismatchRequest) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let what = match request.decision() {
            MismatchDecision::Accept => Some(What::Accept),
            MismatchDecision::Refund => Some(What::Refund),
            MismatchDecision::Cancel => Some(What::Cancel),
            MismatchDecision::Unspecified => None,
        };
        if what.is_none() {
            let rule = "must be ACCEPT, REFUND or CANCEL";
            problems.push(FieldProblem::new("decision", rule));
        }
        let note = bounded_multiline("note", &request.note, 0, NOTE_MAX_CHARS);
        if let Err(e) = &note {
            problems.push(FieldProblem::new("note", e.problem));
        }
        match (what, note) {
            (Some(what), Ok(note)) => Ok(Self { what, note }),
            _ => Err(Error::Fields(problems)),
        }
    }
}

async fn resolve(app: Arc<App>, order: OrderRow, what: What, audit: Audit) -> Result<(), Error> {
    let id = order.order_id();
    match what {
        What::Accept => saga::resolve(&app, id, Decision::Accept, audit).await,
        What::Refund => saga::resolve(&app, id, Decision::Refund, audit).await,
        What::Cancel => cancel(&app, order, audit).await,
    }
}

/// Nothing came. The provider is told first: its "paid" would be the answer instead.
async fn cancel(app: &App, order: OrderRow, audit: Audit) -> Result<(), Error> {
    let (order, attempt) = store::load(app, order.order_id()).await?;
    match order.status()? {
        OrderStatus::Mismatch => {}
        // Once more changes nothing.
        OrderStatus::Cancelled => return Ok(()),
        _ => return Err(Error::OrderNotOpen),
    }
    let step = Step {
        order: order.order_id(),
        from: OrderStatus::Mismatch,
        to: OrderStatus::Cancelled,
        by: audit.by.clone(),
        reason: "nothing_came".to_owned(),
    };
    let ending = Ending {
        step,
        audit: Some(audit),
    };
    match saga::end(app, &order, attempt.as_ref(), ending).await? {
        Ended::Yes => Ok(()),
        Ended::No => Err(Error::OrderNotOpen),
    }
}
