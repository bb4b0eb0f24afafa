use axum::{extract::State, response::Response};
use base::HoldId;
use http::HeaderMap;
use kit::ErrorReason;

use super::{
    checkout::{again, placed_order},
    page::{see_other, with_cookie},
    reader::Reader,
    to_payment::way,
};
use crate::{
    app::{App, Shared},
    cookies::{self, Kind},
    extract::{Access, Form, Object},
    network::Asker,
    problem::Problem,
    rest::{
        self, NewOrder,
        types::{Money, PlacedOrder},
    },
};

/// `POST /checkout/{hold}`: places the order and leads to the payment.
pub async fn buy(
    State(app): State<Shared>,
    (reader, asker): (Reader, Asker),
    headers: HeaderMap,
    access: Access<HoldId>,
    form: Form,
) -> Result<Response, Problem> {
    use ErrorReason as R;
    let hold = access.id.to_string();
    match rest::place_order(
        &app,
        asker,
        new_order(&access, &reader.locale, &form),
        &key(&access, &reader.locale, &form),
    )
    .await
    {
        Ok(placed) => lead_on(&app, &hold, &placed),
        Err(problem) => match problem.reason() {
            R::InvalidRequest | R::TotalChanged | R::ProviderNotEnabled | R::TermsNotAccepted => {
                again(&app, reader.language, access, (&form, &problem)).await
            }
            // The hold is not what the page showed; how it stands, its order or the checkout says.
            R::PaymentInProgress | R::HoldExpired => match placed_order(&app, &headers, &hold) {
                Some(order) => see_other(&format!("/orders/{order}")),
                None => see_other(&format!("/checkout/{hold}")),
            },
            _ => Err(problem),
        },
    }
}

/// The same details for the same hold are one order, however often they are sent and from however
/// many pages; corrected details are another. Nobody can guess it without the hold's secret.
fn key(access: &Access<HoldId>, locale: &str, form: &Form) -> String {
    let details = [
        "total_minor",
        "currency",
        "name",
        "email",
        "phone_number",
        "provider",
        "accepted_terms",
    ];
    let mut parts = vec![access.secret.as_bytes(), locale.as_bytes()];
    parts.extend(details.map(|name| form.text(name).as_bytes()));
    base::hex(&base::body_hash(&parts))
}

fn new_order(access: &Access<HoldId>, locale: &str, form: &Form) -> NewOrder {
    let text = |name: &str| form.text(name).to_owned();
    NewOrder {
        hold_id: access.id.to_string(),
        hold_secret: access.secret.clone(),
        email: text("email"),
        phone_number: text("phone_number"),
        name: Some(text("name")),
        expected_total: Object(Money {
            // What is no number is a total nobody saw, and the service refuses it.
            amount_minor: form.text("total_minor").parse().unwrap_or(-1),
            currency: text("currency"),
        }),
        provider: Some(text("provider")),
        locale: Some(locale.to_owned()),
        accepted_terms: Some(text("accepted_terms")),
    }
}

fn lead_on(app: &App, hold: &str, placed: &PlacedOrder) -> Result<Response, Problem> {
    let order = &placed.order.id;
    let response = see_other(&way(app, &placed.order))?;
    let cookie = |kind, id: &str, value: &str| cookies::set(&app.public_url, kind, id, value);
    let response = with_cookie(response, cookie(Kind::Order, order, &placed.secret));
    let response = with_cookie(response, cookie(Kind::Placed, hold, order));
    let proof = cookie(Kind::Purchase, order, &placed.purchase_proof);
    Ok(with_cookie(response, proof))
}
