//! From a form to the page of the payment provider.
//!
//! `form-action` of a page's policy also binds where the answer to its form redirects to (Chromium
//! checks it at each step), and a provider's page may be anywhere: Stripe serves its own under the
//! shop's domains too. To name all of them in the policy would be a setting that breaks the
//! purchase when it is forgotten. So a form never leads away from the shop: it leads to a page of
//! the order that goes on by itself, with no script, and with a link where a browser does not.

use axum::{extract::State, response::Response};
use base::OrderId;
use minijinja::context;
use url::Url;

use super::{page::see_other, reader::Reader, words};
use crate::{
    app::{App, Shared},
    extract::Access,
    problem::Problem,
    rest::{
        self,
        types::{Order, OrderStatus},
    },
};

/// Where a form leads once the order stands: to the page to pay on, or to the order if there is
/// none.
pub fn way(app: &App, order: &Order) -> String {
    let payment = order.payment.as_ref();
    match payment.and_then(|payment| payment.checkout_url.as_deref()) {
        None => format!("/orders/{}", order.id),
        Some(url) if is_own(app, url) => url.to_owned(),
        Some(_) => format!("/orders/{}/pay", order.id),
    }
}

fn is_own(app: &App, url: &str) -> bool {
    url.strip_prefix(app.public_url.origin())
        .is_some_and(|path| path.starts_with('/'))
}

/// `GET /orders/{id}/pay`: goes on to the provider's page.
pub async fn to_payment(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let order = rest::get_order(&app, &access, false).await?;
    let payment = order.payment.as_ref();
    let checkout_url = payment.and_then(|payment| payment.checkout_url.as_deref());
    let page = checkout_url.filter(|_| order.status == OrderStatus::AwaitingPayment);
    let Some(url) = page.and_then(|url| Url::parse(url).ok()) else {
        return see_other(&format!("/orders/{}", order.id));
    };
    let values = context! {
        id => &order.id,
        number => &order.number,
        total => words::amount(language, &order.total_amount),
        site => url.host_str(),
        checkout_url => url.as_str(),
    };
    app.pages.render(language, "to_payment.html", values)
}
