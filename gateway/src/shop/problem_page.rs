//! A problem as a page: a sentence and a way on.

use minijinja::{Value, context};

use crate::{app::App, problem::ProblemBody};

/// Never fails: the worst is a line of text.
pub fn render(app: &App, problem: &ProblemBody) -> String {
    let title = match problem.reason.as_str() {
        "UNAUTHENTICATED" => "This page needs its link",
        _ => problem.title.as_str(),
    };
    let (sentence, link, link_text) = words(problem);
    let fields: Vec<Value> = problem
        .errors
        .iter()
        .map(|error| context! { field => &error.field, detail => &error.detail })
        .collect();
    let values = context! {
        title,
        sentence,
        link,
        link_text,
        fields,
        trace_id => &problem.trace_id,
        is_fault => problem.status >= 500,
    };
    app.pages
        .text("problem.html", values)
        .unwrap_or_else(|error| {
            tracing::error!(%error, "the problem page cannot be rendered");
            problem.title.clone()
        })
}

fn words(problem: &ProblemBody) -> (&str, &'static str, &'static str) {
    const PROGRAMME: (&str, &str) = ("/", "To the programme");
    let sentence = match problem.reason.as_str() {
        "NOT_FOUND" => "This page does not exist, or it belongs to somebody else.",
        "UNAUTHENTICATED" => {
            "This page belongs to somebody's order. Please open it by the link in your mail."
        }
        "HOLD_EXPIRED" => {
            "The time to buy has run out and the tickets are free again. Nothing was charged."
        }
        "TICKETS_NOT_READY" => {
            "The tickets are not ready. Please look at your order again shortly."
        }
        "IDEMPOTENCY_KEY_REUSED" | "IDEMPOTENCY_KEY_INVALID" => {
            "This form was used before. Please start again from the concert."
        }
        "METHOD_NOT_ALLOWED" => "This page cannot be used like that.",
        "UNAVAILABLE" | "OVERLOADED" | "TOO_MANY_REQUESTS" => {
            "This does not work at the moment. Please try again shortly."
        }
        "OUTCOME_UNKNOWN" => {
            "We could not see whether that worked. Going back and sending the form again is safe: \
             it is done only once."
        }
        _ => problem.detail.as_str(),
    };
    (sentence, PROGRAMME.0, PROGRAMME.1)
}
