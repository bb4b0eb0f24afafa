//! A problem as a page: a sentence and a way on.

use base::{HoldId, Language, OrderId, TransferId};
use minijinja::context;

use super::table::Says as _;
use crate::{app::App, problem::ProblemBody};

const DASHBOARD: &str = "/admin";

/// Where a problem's page leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOn {
    link: String,
    text: &'static str,
    to_concert: bool,
}

impl WayOn {
    fn programme() -> Self {
        Self {
            link: "/".to_owned(),
            text: "way.programme",
            to_concert: false,
        }
    }

    fn dashboard() -> Self {
        Self {
            link: DASHBOARD.to_owned(),
            text: "way.dashboard",
            to_concert: false,
        }
    }

    fn to_dashboard(&self) -> bool {
        self.link == DASHBOARD
    }

    fn find() -> Self {
        Self {
            link: "/find".to_owned(),
            text: "way.orders",
            to_concert: false,
        }
    }

    /// Back to the order, checkout or concert that a path is about; else to the programme.
    pub fn of(path: &str) -> Self {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let mut parts = path.split('/').skip(1);
        let (kind, id) = (parts.next(), parts.next().unwrap_or_default());
        let text = match kind {
            Some("orders") if id.parse::<OrderId>().is_ok() => "way.order",
            Some("find") => return Self::find(),
            Some("tickets") if id.parse::<TransferId>().is_ok() => "way.ticket",
            Some("checkout") if id.parse::<HoldId>().is_ok() => "way.checkout",
            Some("admin") => return Self::dashboard(),
            Some("events") if !id.is_empty() => "way.concert",
            _ => return Self::programme(),
        };
        Self {
            link: format!("/{}/{id}", kind.unwrap_or_default()),
            text,
            to_concert: kind == Some("events"),
        }
    }
}

/// Never fails: the worst is a line of text.
pub fn render(app: &App, language: Language, problem: &ProblemBody, way_on: &WayOn) -> String {
    let reason = problem.reason.as_str();
    let nothing_there = matches!(reason, "NOT_FOUND" | "UNAUTHENTICATED" | "EVENT_NOT_ACTIVE");
    let (title, sentence) = match reason {
        // Paused, cancelled and archived concerts are not told apart from those that never were.
        "NOT_FOUND" if way_on.to_concert => (
            language.say("problem.no_concert.title"),
            language.say("problem.no_concert"),
        ),
        "UNAUTHENTICATED" if way_on.to_dashboard() => (
            language.say("problem.sign_in.title"),
            language.say("problem.sign_in"),
        ),
        _ => words(language, problem),
    };
    let is_for_guests = nothing_there && !way_on.to_dashboard();
    // Whose orders it is about, they know themselves.
    let find = is_for_guests.then(|| language.say("way.orders"));
    let way_on = match is_for_guests {
        true => WayOn::programme(),
        false => way_on.clone(),
    };
    let values = context! {
        title,
        sentence,
        find,
        link_text => language.say(way_on.text),
        switch => format!("{}?", way_on.link),
        link => way_on.link,
        trace_id => &problem.trace_id,
        is_fault => problem.status >= 500,
    };
    app.pages
        .text(language, "problem.html", values)
        .unwrap_or_else(|error| {
            tracing::error!(%error, "the problem page cannot be rendered");
            problem.title.clone()
        })
}

/// What a reason means to people, wherever on a page it is said.
pub fn sentence(language: Language, reason: &str) -> Option<&'static str> {
    let reason = match reason {
        "OVERLOADED" | "TOO_MANY_REQUESTS" => "UNAVAILABLE",
        reason => reason,
    };
    language.find(&format!("problem.{reason}"))
}

/// Title and sentence for people, who know nothing of keys, bodies and methods.
fn words(language: Language, problem: &ProblemBody) -> (&str, &str) {
    let reason = match problem.reason.as_str() {
        "UNSUPPORTED_MEDIA_TYPE" => "MALFORMED_BODY",
        "IDEMPOTENCY_KEY_INVALID" => "IDEMPOTENCY_KEY_REUSED",
        reason => reason,
    };
    let known = sentence(language, reason);
    let sentence = known.or_else(|| language.find(&format!("refusal.{reason}")));
    let title = language.find(&format!("problem.{reason}.title"));
    match language {
        // The service knows more about this case.
        Language::En => (
            title.unwrap_or(problem.title.as_str()),
            sentence.unwrap_or(problem.detail.as_str()),
        ),
        _ => (
            title.unwrap_or(language.say("problem.other.title")),
            sentence.unwrap_or(language.say("problem.other")),
        ),
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
            let (title, sentence) = words(Language::En, &body);
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
