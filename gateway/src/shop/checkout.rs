use axum::{extract::State, response::Response};
use base::{HoldId, Language};
use http::{HeaderMap, StatusCode};
use kit::ErrorReason;
use minijinja::{Value, context};

use super::{page::see_other, qr, reader::Reader, words};
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
    Reader { language, .. }: Reader,
    headers: HeaderMap,
    access: Access<HoldId>,
) -> Result<Response, Problem> {
    let id = access.id.to_string();
    let link = link(&app, &access);
    let hold = rest::get_hold(&app, access).await?;
    if hold.status != HoldStatus::Active
        && let Some(order) = placed_order(&app, &headers, &id)
    {
        return see_other(&format!("/orders/{order}"));
    }
    let values = view(&app, language, (&hold, &link), None).await;
    app.pages.render(language, "checkout.html", values)
}

/// The order that this browser placed with the hold.
pub fn placed_order(app: &App, headers: &HeaderMap, hold: &str) -> Option<String> {
    cookies::read(headers, &app.public_url, Kind::Placed, hold)
        .filter(|id| id.parse::<base::OrderId>().is_ok())
}

/// The form again after a refusal, with what was typed and a word about each field.
pub async fn again(
    app: &App,
    language: Language,
    access: Access<HoldId>,
    (form, problem): (&Form, &Problem),
) -> Result<Response, Problem> {
    let link = link(app, &access);
    let hold = rest::get_hold(app, access).await?;
    let values = view(app, language, (&hold, &link), Some((form, problem))).await;
    let status: StatusCode = problem::status(problem.reason());
    app.pages.refuse(status, language, "checkout.html", values)
}

/// With it the guest goes on on another device.
fn link(app: &App, access: &Access<HoldId>) -> String {
    let Access { id, secret } = access;
    app.public_url.join(&format!("/h/{id}/{secret}"))
}

async fn view(
    app: &App,
    language: Language,
    (hold, link): (&Hold, &str),
    refused: Option<(&Form, &Problem)>,
) -> Value {
    let (form, problem) = refused.unzip();
    // Only decoration: the checkout works while the programme does not answer.
    let found = programme::event(app, &hold.event_id).await.ok();
    let found = found.as_ref().map(|(face, _)| &face.detail);
    let providers = match found {
        Some(detail) if hold.total.amount_minor > 0 => &detail.payment_providers[..],
        // Nothing is asked; the service takes the one that the concert prefers.
        _ => &[],
    };
    let terms = rest::get_terms(app).await.ok();
    let reason = problem.map(Problem::reason);
    let event = found.map(|detail| &detail.event);
    let typed = |name: &str| form.map_or("", |form| form.text(name)).to_owned();
    let rule = |name: &str| {
        let fields = problem.map_or(&[][..], |problem| &problem.0.fields);
        fields
            .iter()
            .find(|problem| problem.field == name)
            .map(|problem| words::rule(language, &problem.rule))
    };
    let field = |name: &str| context! { value => typed(name), rule => rule(name) };
    context! {
        id => &hold.id,
        link,
        // Without it the link is there to be sent.
        symbol => qr::symbol(link).ok(),
        event_id => &hold.event_id,
        event => event.map(|event| context! {
            title => &event.title,
            slug => &event.slug,
            location => &event.location,
            when => words::when(language, event.date_time, &event.timezone),
        }),
        cancellation => event
            .and_then(|event| event.cancellation.as_ref())
            .filter(|_| hold.total.amount_minor > 0)
            .map(|rule| words::cancellation(language, rule)),
        is_active => hold.status == HoldStatus::Active,
        is_paying => hold.status == HoldStatus::Paying,
        now => words::machine_time(app.sources.now()),
        expires_at => words::machine_time(hold.expires_at),
        expires_text => words::when(language, hold.expires_at, event.map_or("UTC", |e| &e.timezone)),
        lines => words::lines(language, &hold.lines),
        taxes => words::taxes(language, &hold.lines),
        total => words::amount(language, &hold.total),
        is_free => hold.total.amount_minor == 0,
        total_minor => hold.total.amount_minor,
        currency => &hold.total.currency,
        name => field("name"),
        email => field("email"),
        phone_number => field("phone_number"),
        providers => words::providers(language, providers),
        chosen_provider => typed("provider"),
        terms_version => terms.and_then(|terms| terms.version),
        terms_refused => reason == Some(ErrorReason::TermsNotAccepted),
        notice => problem.map(|problem| words::refusal(language, problem)),
    }
}
