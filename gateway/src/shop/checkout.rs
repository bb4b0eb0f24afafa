use axum::{extract::State, response::Response};
use base::HoldId;
use http::{HeaderMap, StatusCode};
use kit::ErrorReason;
use minijinja::{Value, context};

use super::{page::see_other, words};
use crate::{
    app::{App, Shared},
    cookies::{self, Kind},
    extract::{Access, Form},
    problem::{self, Problem},
    programme,
    rest::{
        self,
        types::{Hold, HoldStatus},
    },
};

/// `GET /checkout/{hold}`: what is set aside, for how long, and who buys it.
pub async fn checkout(
    State(app): State<Shared>,
    headers: HeaderMap,
    access: Access<HoldId>,
) -> Result<Response, Problem> {
    let id = access.id.to_string();
    let hold = rest::get_hold(&app, access).await?;
    if hold.status != HoldStatus::Active
        && let Some(order) = placed_order(&app, &headers, &id)
    {
        return see_other(&format!("/orders/{order}"));
    }
    let values = view(&app, &hold, None, None).await;
    app.pages.render("checkout.html", values)
}

/// The order that this browser placed with the hold.
pub fn placed_order(app: &App, headers: &HeaderMap, hold: &str) -> Option<String> {
    cookies::read(headers, &app.public_url, Kind::Placed, hold)
        .filter(|id| id.parse::<base::OrderId>().is_ok())
}

/// The form again after a refusal, with what was typed and a word about each field.
pub async fn again(
    app: &App,
    access: Access<HoldId>,
    form: &Form,
    problem: &Problem,
) -> Result<Response, Problem> {
    let hold = rest::get_hold(app, access).await?;
    let values = view(app, &hold, Some(form), Some(problem)).await;
    let status: StatusCode = problem::status(problem.reason());
    app.pages.refuse(status, "checkout.html", values)
}

async fn view(app: &App, hold: &Hold, form: Option<&Form>, problem: Option<&Problem>) -> Value {
    // Only decoration: the checkout works while the programme does not answer.
    let found = programme::event(app, &hold.event_id).await.ok();
    let found = found.as_ref().map(|(face, _)| &face.detail);
    let providers = match found {
        Some(detail) if hold.total.amount_minor > 0 => &detail.payment_providers[..],
        // Nothing is asked; the service takes the one that the concert prefers.
        _ => &[],
    };
    let terms = rest::get_terms(app).await.ok();
    let refused = problem.map(Problem::reason);
    let event = found.map(|detail| &detail.event);
    let typed = |name: &str| form.map_or("", |form| form.text(name)).to_owned();
    let rule = |name: &str| {
        let fields = problem.map_or(&[][..], |problem| &problem.0.fields);
        fields
            .iter()
            .find(|problem| problem.field == name)
            .map(|problem| words::rule(&problem.rule))
    };
    let field = |name: &str| context! { value => typed(name), rule => rule(name) };
    context! {
        id => &hold.id,
        event_id => &hold.event_id,
        event => event.map(|event| context! {
            title => &event.title,
            slug => &event.slug,
            location => &event.location,
            when => words::when(event.date_time, &event.timezone),
        }),
        cancellation => event
            .and_then(|event| event.cancellation.as_ref())
            .filter(|_| hold.total.amount_minor > 0)
            .map(words::cancellation),
        is_active => hold.status == HoldStatus::Active,
        is_paying => hold.status == HoldStatus::Paying,
        now => words::machine_time(app.sources.now()),
        expires_at => words::machine_time(hold.expires_at),
        expires_text => words::when(hold.expires_at, event.map_or("UTC", |e| &e.timezone)),
        lines => words::lines(&hold.lines),
        taxes => words::taxes(&hold.lines),
        total => words::amount(&hold.total),
        is_free => hold.total.amount_minor == 0,
        total_minor => hold.total.amount_minor,
        currency => &hold.total.currency,
        name => field("name"),
        email => field("email"),
        phone_number => field("phone_number"),
        providers => words::providers(providers),
        chosen_provider => typed("provider"),
        terms_version => terms.and_then(|terms| terms.version),
        terms_refused => refused == Some(ErrorReason::TermsNotAccepted),
        notice => problem.map(words::refusal),
    }
}
