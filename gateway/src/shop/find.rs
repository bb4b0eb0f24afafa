//! Find my orders: an address, a code by mail, the list. The secrets of the list stand in the answer to a
//! form and nowhere else.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use kit::ErrorReason;
use minijinja::{Value, context};

use super::{language, order_words, words};
use crate::{
    app::{App, Shared},
    extract::{Form, Network},
    problem::{self, Problem},
    rest::{self, NewLookup, types::FoundOrder},
};

/// `GET /find`: the form for an address.
pub async fn form(State(app): State<Shared>) -> Result<Response, Problem> {
    app.pages.render("find.html", view(&app, "", None))
}

/// `POST /find`: sends the code, and asks for it.
pub async fn find(
    State(app): State<Shared>,
    network: Network,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Problem> {
    let email = form.text("email").to_owned();
    let new = NewLookup {
        email: email.clone(),
        locale: Some(language::of(&headers).to_owned()),
    };
    match rest::request_lookup_code(&app, network, new, form.text("key")).await {
        Ok(lookup) => app
            .pages
            .render("find_code.html", code_view(&lookup.id, &email, None)),
        Err(problem) if asks_again(problem.reason()) => {
            let status: StatusCode = problem::status(problem.reason());
            let values = view(&app, &email, Some(&problem));
            app.pages.refuse(status, "find.html", values)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /find/code`: the orders behind the code.
pub async fn code(
    State(app): State<Shared>,
    network: Network,
    form: Form,
) -> Result<Response, Problem> {
    let (lookup, code) = (form.text("lookup").to_owned(), form.text("code").to_owned());
    match rest::redeem_lookup_code(&app, network, lookup.clone(), code).await {
        Ok(found) => {
            let orders: Vec<Value> = found.orders.iter().map(order).collect();
            let values = context! { title => "Your orders", orders };
            app.pages.render("found.html", values)
        }
        Err(problem) if problem.reason() == ErrorReason::CodeInvalid => {
            let rule = "The code is not right, was used, or is too old.";
            let values = code_view(&lookup, form.text("email"), Some(rule));
            let status: StatusCode = problem::status(problem.reason());
            app.pages.refuse(status, "find_code.html", values)
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

fn view(app: &App, email: &str, problem: Option<&Problem>) -> Value {
    let fields = problem.map_or(&[][..], |problem| &problem.0.fields);
    let rule = fields.iter().find(|problem| problem.field == "email");
    context! {
        title => "Find my orders",
        email => context! { value => email, rule => rule.map(|rule| words::rule(&rule.rule)) },
        notice => problem.filter(|_| rule.is_none()).map(|_| "Please try once more."),
        key => app.sources.token(),
    }
}

fn code_view(lookup: &str, email: &str, rule: Option<&str>) -> Value {
    context! { title => "Look into your mail", lookup, email, rule }
}

fn order(order: &FoundOrder) -> Value {
    let zone = match order.event_timezone.as_str() {
        "" => "UTC",
        zone => zone,
    };
    context! {
        number => &order.number,
        title => &order.event_title,
        location => &order.event_location,
        when => order.event_date_time.map(|at| words::when(at, zone)),
        status => order_words::status(order.status),
        link => &order.link,
    }
}
