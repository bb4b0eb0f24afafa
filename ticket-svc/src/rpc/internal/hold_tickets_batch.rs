//! `HoldTickets` for everybody who waits at the gateway, in one call.

use std::time::{Duration, Instant};

use futures::future::join_all;
use kit::{CallContext, Failure, FieldProblem, TraceId, with_context};
use proto::ticket::{
    HoldTicketsBatchAnswer, HoldTicketsBatchItem, HoldTicketsBatchRequest,
    HoldTicketsBatchResponse, hold_tickets_batch_answer::Outcome,
};

use crate::{app::App, error::Error, rpc::guest::hold_tickets::hold_tickets};

const ITEMS_MAX: usize = 512;
/// Where nobody says how long they wait.
const PATIENCE: Duration = Duration::from_secs(8);

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
    let mut context = CallContext {
        trace,
        ..kit::current()
    };
    let own = Duration::from_millis(item.timeout_ms.into());
    let patience = context.budget(if own.is_zero() { PATIENCE } else { own });
    context.deadline = Some(Instant::now() + patience);
    let outcome = async {
        // Whose guest has gone takes a wish back whose turn has not come.
        let hold = hold_tickets(app, item.request.unwrap_or_default());
        match tokio::time::timeout(patience, hold).await {
            Ok(Ok(held)) => Outcome::Held(held),
            Ok(Err(error)) => Outcome::Refused(told(error.failure())),
            Err(_elapsed) => Outcome::Refused(told(Failure::outcome_unknown())),
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
