//! Holds on their way to ticket-svc. While one call is under way the next one gathers, so a rush
//! costs a call for hundreds of guests; a guest alone waits for nobody.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use batch::{Lanes, Limits, Refused};
use futures::future::join_all;
use kit::{CallContext, Code, ErrorReason, Failure, FieldProblem, Tasks, with_context};
use proto::ticket::{
    HoldTicketsBatchAnswer, HoldTicketsBatchItem, HoldTicketsBatchRequest, HoldTicketsRequest,
    HoldTicketsResponse, hold_batch_service_client::HoldBatchServiceClient,
    hold_tickets_batch_answer::Outcome,
};

use crate::{problem::Problem, rest::types::broken, retries, upstream::Upstream};

/// The holds of one event go through one lane. A rush on one event is in the way of few others.
const LANES: u64 = 8;
const LIMITS: Limits = Limits {
    name: "hold_calls",
    batch_max: 512,
    // A few calls; the edge admits fewer requests than that.
    queue_max: 4_096,
    // The next call is at ticket-svc when its batch ends, so that neither side waits for the other. One
    // of its processes may hang while others answer, too.
    overtake_after: Some(Duration::from_millis(3)),
};
const ONE_SECOND: Duration = Duration::from_secs(1);
/// As ticket-svc has them.
const LINES_MAX: usize = 20;
const ID_MAX_CHARS: usize = 36;
const KEY_MAX_CHARS: usize = 255;
/// Of an answer with the longest holds.
pub const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

type Answer = Result<HoldTicketsResponse, Problem>;

/// A request, with the deadline and the trace that it belongs to.
struct Wish {
    request: HoldTicketsRequest,
    context: CallContext,
}

/// Where requests go. Clones share the lanes.
#[derive(Clone)]
pub struct Holds(Lanes<Wish, Answer>);

impl Holds {
    /// Starts the lanes. With the gateway's tasks they take nothing more, work off what waits, and end.
    pub fn start(tasks: &Tasks, ticket_svc: &HoldBatchServiceClient<Upstream>) -> Self {
        let holds = Self(Lanes::default());
        for _ in 0..LANES {
            let ticket_svc = ticket_svc.clone();
            let (lane, worker) =
                batch::batcher(LIMITS, move |wishes| ask(ticket_svc.clone(), wishes));
            holds.0.open(lane);
            tasks.spawn(worker);
        }
        let lanes = holds.0.clone();
        tasks.at_the_end(async move { lanes.close() });
        holds
    }

    pub async fn hold_tickets(&self, request: HoldTicketsRequest) -> Answer {
        must_be_small(&request)?;
        let event = request.event_id.clone();
        let context = kit::current();
        let wish = Wish { request, context };
        self.0.submit_by(&event, wish).await.map_err(unanswered)?
    }
}

/// A call has room for hundreds of requests of the usual size. What is larger breaks a rule of
/// ticket-svc's as well, and must not break the call of everybody else.
fn must_be_small(request: &HoldTicketsRequest) -> Result<(), Problem> {
    let mut problems = Vec::new();
    if request.lines.len() > LINES_MAX {
        let rule = format!("must have 1 to {LINES_MAX} entries");
        problems.push(FieldProblem::new("lines", rule));
    }
    let mut check = |field: String, text: &str, most: usize| {
        if text.len() > most {
            problems.push(FieldProblem::new(
                field,
                format!("must have at most {most} characters"),
            ));
        }
    };
    check("event_id".to_owned(), &request.event_id, ID_MAX_CHARS);
    check(
        "idempotency_key".to_owned(),
        &request.idempotency_key,
        KEY_MAX_CHARS,
    );
    for (index, line) in request.lines.iter().enumerate().take(LINES_MAX) {
        check(
            format!("lines[{index}].ticket_type_id"),
            &line.ticket_type_id,
            ID_MAX_CHARS,
        );
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(kit::fields(problems).into())
}

/// A call for each event, so that nobody waits for an event that is not theirs. A rush is on one.
async fn ask(ticket_svc: HoldBatchServiceClient<Upstream>, wishes: Vec<Wish>) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = wishes.iter().map(|_| None).collect();
    let mut events: HashMap<String, Vec<(usize, Wish)>> = HashMap::new();
    for (place, wish) in wishes.into_iter().enumerate() {
        let of_event = events.entry(wish.request.event_id.clone()).or_default();
        of_event.push((place, wish));
    }
    let calls = events.into_values().map(|of_event| {
        let (places, wishes): (Vec<usize>, Vec<Wish>) = of_event.into_iter().unzip();
        let call = ask_of_event(ticket_svc.clone(), wishes);
        async move { places.into_iter().zip(call.await) }
    });
    for (place, answer) in join_all(calls).await.into_iter().flatten() {
        answers[place] = Some(answer);
    }
    let answers = answers.into_iter();
    // Fewer answers than requests: what became of the rest is not known.
    answers
        .map(|answer| answer.unwrap_or_else(|| Err(Failure::outcome_unknown().into())))
        .collect()
}

/// One call. It takes as long as the most patient of them waits; each of the others stops waiting by
/// itself.
async fn ask_of_event(
    mut ticket_svc: HoldBatchServiceClient<Upstream>,
    wishes: Vec<Wish>,
) -> Vec<Answer> {
    let count = wishes.len();
    let context = CallContext {
        deadline: wishes.iter().filter_map(|wish| wish.context.deadline).max(),
        // It shows in the trace of the first one that is looked at.
        trace: wishes.iter().find_map(|wish| wish.context.trace.clone()),
        // Those of many guests.
        client: None,
    };
    let items = wishes.into_iter().map(|wish| HoldTicketsBatchItem {
        traceparent: traceparent(&wish.context),
        timeout_ms: timeout_ms(&wish.context),
        request: Some(wish.request),
    });
    let request = HoldTicketsBatchRequest {
        items: items.collect(),
    };
    // Every one of them has a key.
    let call = retries::within(true, ticket_svc.hold_tickets_batch(request));
    match with_context(context, call).await {
        Ok(response) => {
            let answers = response.into_inner().answers;
            answers.into_iter().map(read).collect()
        }
        Err(status) => {
            let problem = Problem::from(status);
            (0..count).map(|_| Err(problem.clone())).collect()
        }
    }
}

fn traceparent(context: &CallContext) -> String {
    let trace = context.trace.as_ref();
    trace.and_then(kit::TraceId::header).unwrap_or_default()
}

/// What is left of the guest's own time; 0: none was set.
fn timeout_ms(context: &CallContext) -> u32 {
    let left = context
        .deadline
        .map(|at| at.saturating_duration_since(Instant::now()));
    let millis = left.map(|left| left.as_millis().max(1));
    millis.map_or(0, |millis| u32::try_from(millis).unwrap_or(u32::MAX))
}

fn read(answer: HoldTicketsBatchAnswer) -> Answer {
    match answer.outcome {
        Some(Outcome::Held(held)) => Ok(held),
        Some(Outcome::Refused(failure)) => Err(Failure::from_message(failure).into()),
        None => Err(broken("outcome").into()),
    }
}

fn busy() -> Problem {
    let detail = "Too many guests at once. Try again.";
    let mut failure = Failure::refused(Code::Unavailable, ErrorReason::Overloaded, detail);
    failure.retry_after = Some(ONE_SECOND);
    failure.into()
}

fn unanswered(refused: Refused) -> Problem {
    match refused {
        Refused::Full | Refused::Ended => busy(),
        Refused::Lost => Failure::outcome_unknown().into(),
    }
}
