use axum::{extract::State, response::Response};
use base::OrderId;
use kit::ErrorReason;

use super::{page::see_other, to_payment::way};
use crate::{
    app::Shared,
    extract::{Access, Form},
    network::Asker,
    problem::Problem,
    rest::{self, NewPayment},
};

/// `POST /orders/{id}/pay`: another try, after a decline.
pub async fn pay(
    State(app): State<Shared>,
    asker: Asker,
    access: Access<OrderId>,
    form: Form,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", access.id);
    let new = NewPayment {
        provider: Some(form.text("provider").to_owned()),
    };
    match rest::start_payment(&app, asker, (access, new), form.text("key")).await {
        Ok(order) => see_other(&way(&app, &order)),
        // The order's page says how it stands.
        Err(problem) if says_the_order(problem.reason()) => see_other(&own_page),
        Err(problem) => Err(problem),
    }
}

/// Refusals that mean: look at the order, it is no longer what the page showed.
pub fn says_the_order(reason: ErrorReason) -> bool {
    use ErrorReason as R;
    matches!(
        reason,
        R::OrderNotOpen | R::PaymentInProgress | R::HoldExpired
    )
}
