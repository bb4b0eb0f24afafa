use axum::{extract::State, response::Response};
use base::{Language, OrderId};
use http::{HeaderMap, StatusCode};
use kit::ErrorReason;
use minijinja::context;

use super::{
    page::{see_other, with_cookie},
    reader::Reader,
    table::Says as _,
    words,
};
use crate::{
    app::{App, Shared},
    cookies::{self, Kind},
    extract::{Access, Form},
    problem::{self, Problem},
    rest::{self, AddressCorrection},
};

/// `GET /orders/{id}/address`: the form, where the order was placed in this browser.
pub async fn ask(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    headers: HeaderMap,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    page(&app, language, (&headers, &access), None).await
}

/// `POST /orders/{id}/address`: corrects it. The order has another secret from then on.
pub async fn correct(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    headers: HeaderMap,
    access: Access<OrderId>,
    form: Form,
) -> Result<Response, Problem> {
    let id = access.id.to_string();
    let correction = AddressCorrection {
        email: form.text("email").to_owned(),
        purchase_proof: proof(&app, &headers, &id).unwrap_or_default(),
    };
    let again = Access {
        id: access.id,
        secret: access.secret.clone(),
    };
    match rest::correct_address(&app, access, correction, form.text("key")).await {
        Ok(corrected) => {
            let cookie = cookies::set(&app.public_url, Kind::Order, &id, &corrected.secret);
            let response = see_other(&format!("/orders/{id}?done=corrected"))?;
            Ok(with_cookie(response, cookie))
        }
        Err(problem) if problem.reason() == ErrorReason::InvalidRequest => {
            page(&app, language, (&headers, &again), Some((&problem, &form))).await
        }
        Err(problem) => Err(problem),
    }
}

/// What only the browser has that the order was placed in.
pub fn proof(app: &App, headers: &HeaderMap, order: &str) -> Option<String> {
    cookies::read(headers, &app.public_url, Kind::Purchase, order)
}

async fn page(
    app: &App,
    language: Language,
    (headers, access): (&HeaderMap, &Access<OrderId>),
    refused: Option<(&Problem, &Form)>,
) -> Result<Response, Problem> {
    let order = rest::get_order(app, access, false).await?;
    let rule = refused.and_then(|(problem, _)| problem.0.fields.first());
    let typed = refused.map_or("", |(_, form)| form.text("email"));
    let values = context! {
        title => language.say("address.title"),
        id => &order.id,
        number => &order.number,
        now => &order.email,
        has_proof => proof(app, headers, &order.id).is_some(),
        contact => order.seller.as_ref().map(|seller| &seller.contact),
        email => context! { value => typed, rule => rule.map(|rule| words::rule(language, &rule.rule)) },
        key => app.sources.token(),
    };
    match refused {
        Some((problem, _)) => {
            let status: StatusCode = problem::status(problem.reason());
            app.pages.refuse(status, language, "address.html", values)
        }
        None => app.pages.render(language, "address.html", values),
    }
}
