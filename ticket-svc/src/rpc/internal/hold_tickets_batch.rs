//! `HoldTickets` for everybody who waits at the gateway, in one call.

use futures::future::join_all;
use kit::{CallContext, Failure, FieldProblem, TraceId, with_context};
use proto::ticket::{
    HoldTicketsBatchAnswer, HoldTicketsBatchItem, HoldTicketsBatchRequest,
    HoldTicketsBatchResponse, hold_tickets_batch_answer::Outcome,
};

use crate::{app::App, error::Error, rpc::guest::hold_tickets::hold_tickets};

const ITEMS_MAX: usize = 512;

pub async fn hold_tickets_batch(
    app: &App,
    request: HoldTicketsBatchRequest,
) -> Result<HoldTicketsBatchResponse, Error> {
    if !(1..=ITEMS_MAX).contains(&request.items.len()) {
        let rule = format!("must have 1 to {ITEMS_MAX} entries");
        return Err(Error::Fields(vec![FieldProblem::new("items", rule)]));
    }
    let answers = request.items.into_iter().map(|item| one(app, item));
    Ok(HoldTicketsBatchResponse {
        answers: join_all(answers).await,
    })
}

/// In the trace of its own request.
async fn one(app: &App, item: HoldTicketsBatchItem) -> HoldTicketsBatchAnswer {
    let trace = TraceId::from_traceparent(&item.traceparent);
    let context = CallContext {
        trace,
        ..kit::current()
    };
    let outcome = async {
        match hold_tickets(app, item.request.unwrap_or_default()).await {
            Ok(held) => Outcome::Held(held),
            Err(error) => Outcome::Refused(told(error.failure())),
        }
    };
    HoldTicketsBatchAnswer {
        outcome: Some(with_context(context, outcome).await),
    }
}

/// Its log line names the request's own trace, not that of the call.
fn told(failure: Failure) -> proto::common::Failure {
    let trace = kit::current().trace;
    let trace_id = trace.as_ref().map(tracing::field::display);
    tracing::error_span!("hold", trace_id).in_scope(|| failure.into_message())
}
