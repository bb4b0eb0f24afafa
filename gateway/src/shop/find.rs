//! Find my orders: an address, a code by mail, the list. The secrets of the list stand in the answer to a
//! form and nowhere else.

use axum::{extract::State, response::Response};
use base::Language;
use http::StatusCode;
use kit::ErrorReason;
use minijinja::{Value, context};
use proto::payment::RedeemLookupCodeRequest;

use super::{order_words, reader::Reader, table::Says as _, words};
use crate::{
    app::{App, Shared},
    extract::{Form, Network},
    problem::{self, Problem},
    rest::{self, NewLookup, types::FoundOrder},
};

/// `GET /find`: the form for an address.
pub async fn form(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
) -> Result<Response, Problem> {
    app.pages
        .render(language, "find.html", view(&app, language, "", None))
}

/// `POST /find`: sends the code, and asks for it.
pub async fn find(
    State(app): State<Shared>,
    network: Network,
    Reader { language, locale }: Reader,
    form: Form,
) -> Result<Response, Problem> {
    let email = form.text("email").to_owned();
    let new = NewLookup {
        email: email.clone(),
        locale: Some(locale),
    };
    match rest::request_lookup_code(&app, network, new, form.text("key")).await {
        Ok(lookup) => app.pages.render(
            language,
            "find_code.html",
            code_view(language, &lookup.id, (&email, None)),
        ),
        Err(problem) if asks_again(problem.reason()) => {
            let status: StatusCode = problem::status(problem.reason());
            let values = view(&app, language, &email, Some(&problem));
            app.pages.refuse(status, language, "find.html", values)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /find/code`: the orders behind the code.
pub async fn code(
    State(app): State<Shared>,
    network: Network,
    Reader { language, .. }: Reader,
    form: Form,
) -> Result<Response, Problem> {
    let (lookup, code) = (form.text("lookup").to_owned(), form.text("code").to_owned());
    let request = RedeemLookupCodeRequest {
        lookup_id: lookup.clone(),
        code,
        ..RedeemLookupCodeRequest::default()
    };
    match rest::redeem_lookup_code(&app, network, request).await {
        Ok(found) => {
            let orders: Vec<Value> = found
                .orders
                .iter()
                .map(|one| order(language, one))
                .collect();
            let values =
                context! { title => language.say("find.yours"), orders, switch => "/find?" };
            app.pages.render(language, "found.html", values)
        }
        Err(problem) if problem.reason() == ErrorReason::CodeInvalid => {
            let rule = language.say("find.code_wrong");
            let values = code_view(language, &lookup, (form.text("email"), Some(rule)));
            let status: StatusCode = problem::status(problem.reason());
            app.pages.refuse(status, language, "find_code.html", values)
        }
        Err(problem) => Err(problem),
    }
}

fn asks_again(reason: ErrorReason) -> bool {
    use ErrorReason as R;
    matches!(
        reason,
        R::InvalidRequest | R::IdempotencyKeyInvalid | R::IdempotencyKeyReused
    )
}

fn view(app: &App, language: Language, email: &str, problem: Option<&Problem>) -> Value {
    let fields = problem.map_or(&[][..], |problem| &problem.0.fields);
    let rule = fields.iter().find(|problem| problem.field == "email");
    context! {
        title => language.say("find.title"),
        email => context! { value => email, rule => rule.map(|rule| words::rule(language, &rule.rule)) },
        notice => problem.filter(|_| rule.is_none()).map(|_| language.say("find.once_more")),
        key => app.sources.token(),
    }
}

fn code_view(language: Language, lookup: &str, (email, rule): (&str, Option<&str>)) -> Value {
    let title = language.say("find.look");
    context! { title, lookup, email, rule, switch => "/find?" }
}

fn order(language: Language, order: &FoundOrder) -> Value {
    let zone = match order.event_timezone.as_str() {
        "" => "UTC",
        zone => zone,
    };
    context! {
        number => &order.number,
        title => &order.event_title,
        location => &order.event_location,
        when => order.event_date_time.map(|at| words::when(language, at, zone)),
        status => order_words::status(language, order.status),
        link => &order.link,
    }
}
