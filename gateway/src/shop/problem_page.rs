//! A problem as a page: a sentence and a way on.

use base::{HoldId, OrderId, TransferId};
use minijinja::context;

use crate::{app::App, problem::ProblemBody};

/// The link of a problem's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOn {
    link: String,
    text: &'static str,
}

impl WayOn {
    fn programme() -> Self {
        Self {
            link: "/".to_owned(),
            text: "To the programme",
        }
    }

    fn find() -> Self {
        Self {
            link: "/find".to_owned(),
            text: "To my orders",
        }
    }

    /// Back to the order, checkout or concert that a path is about; else to the programme.
    pub fn of(path: &str) -> Self {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let mut parts = path.split('/').skip(1);
        let (kind, id) = (parts.next(), parts.next().unwrap_or_default());
        let text = match kind {
            Some("orders") if id.parse::<OrderId>().is_ok() => "To the order",
            Some("find") => return Self::find(),
            Some("tickets") if id.parse::<TransferId>().is_ok() => "To the ticket",
            Some("checkout") if id.parse::<HoldId>().is_ok() => "To the checkout",
            Some("events") if !id.is_empty() => "To the concert",
            _ => return Self::programme(),
        };
        Self {
            link: format!("/{}/{id}", kind.unwrap_or_default()),
            text,
        }
    }
}

/// Never fails: the worst is a line of text.
pub fn render(app: &App, problem: &ProblemBody, way_on: &WayOn) -> String {
    let (title, sentence) = words(problem);
    let nothing_there = matches!(
        problem.reason.as_str(),
        "NOT_FOUND" | "UNAUTHENTICATED" | "EVENT_NOT_ACTIVE"
    );
    let way_on = if nothing_there {
        WayOn::programme()
    } else {
        way_on.clone()
    };
    let values = context! {
        title,
        sentence,
        link => way_on.link,
        link_text => way_on.text,
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

/// Title and sentence for people, who know nothing of keys, bodies and methods.
fn words(problem: &ProblemBody) -> (&str, &str) {
    let (title, detail) = (problem.title.as_str(), problem.detail.as_str());
    match problem.reason.as_str() {
        "NOT_FOUND" => (
            title,
            "This page does not exist, or it belongs to somebody else.",
        ),
        "UNAUTHENTICATED" => (
            "This page needs its link",
            "It belongs to somebody's order. Please open it by the link in your mail, or in the \
             browser where you began, which must accept cookies.",
        ),
        "INVALID_REQUEST" => (
            "Something is not right here",
            "The address of this page, or the form that led here, is not what we expected. \
             Nothing was done.",
        ),
        "MALFORMED_BODY" | "UNSUPPORTED_MEDIA_TYPE" => (
            "We could not read that",
            "What was sent here was not the form of this page. Nothing was done.",
        ),
        "BODY_TOO_LARGE" => (
            "That was too long",
            "The form was longer than we can take. Nothing was done.",
        ),
        "IDEMPOTENCY_KEY_REUSED" | "IDEMPOTENCY_KEY_INVALID" => (
            "This form cannot be used again",
            "It was used before, or it is not complete. Please start again.",
        ),
        "CROSS_SITE_REQUEST" => (
            "This form came from elsewhere",
            "It was sent by a page that is not ours, and nothing was done. Please open the shop and \
             begin there.",
        ),
        "METHOD_NOT_ALLOWED" => (
            "This page cannot be opened like that",
            "It only takes what a form of the shop sends.",
        ),
        "HOLD_EXPIRED" => (title, "The tickets are free again. Nothing was charged."),
        "PAYMENT_IN_PROGRESS" => (
            title,
            "These tickets belong to an order already. Please go on there, or cancel it first.",
        ),
        "TICKETS_NOT_READY" => (title, "Please look at your order again shortly."),
        "UNAVAILABLE" | "OVERLOADED" | "TOO_MANY_REQUESTS" => (
            title,
            "This does not work at the moment. Please try again shortly.",
        ),
        "OUTCOME_UNKNOWN" => (
            title,
            "We could not see whether that worked. Going back and sending the form again is safe: \
             it is done only once.",
        ),
        _ => (title, detail),
    }
}

#[cfg(test)]
mod tests {
    use kit::{Code, ErrorReason, Failure};

    use super::*;
    use crate::problem::Problem;

    #[test]
    fn the_way_on_goes_back_to_what_it_was_about() {
        let id = "0190b6a2-7c1e-7000-8000-000000000005";
        for (path, link) in [
            (format!("/orders/{id}/pay"), format!("/orders/{id}")),
            (
                format!("/api/v1/orders/{id}/tickets.pdf"),
                format!("/orders/{id}"),
            ),
            (format!("/checkout/{id}/release"), format!("/checkout/{id}")),
            ("/events/jazz".to_owned(), "/events/jazz".to_owned()),
            (format!("/o/{id}/secret"), "/".to_owned()),
            ("/pay/sandbox/secret".to_owned(), "/".to_owned()),
            ("/orders/nonsense".to_owned(), "/".to_owned()),
            ("/events/".to_owned(), "/".to_owned()),
            ("//events".to_owned(), "/".to_owned()),
        ] {
            assert_eq!(WayOn::of(&path).link, link, "{path}");
        }
    }

    #[test]
    fn people_read_no_jargon() {
        let url = "http://127.0.0.1:1".parse().unwrap();
        for reason in ErrorReason::all() {
            let failure = Failure::refused(Code::FailedPrecondition, reason, "A sentence.");
            let body = Problem::from(failure).body(&url, "trace");
            let (title, sentence) = words(&body);
            let text = format!("{title} {sentence}").to_lowercase();
            // What only programs and admins meet keeps the words of its own page.
            let only_programs = [
                "SIGNATURE_INVALID",
                "CALLER_NOT_ALLOWED",
                "VERSION_MISMATCH",
            ];
            if only_programs.contains(&reason.word()) {
                continue;
            }
            for jargon in [
                "idempotency",
                "method",
                "the body",
                "content type",
                "token",
                "`",
            ] {
                assert!(!text.contains(jargon), "{reason:?}: {text}");
            }
        }
    }
}
