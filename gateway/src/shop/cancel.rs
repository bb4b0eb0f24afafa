use axum::{extract::State, response::Response};
use base::OrderId;
use kit::ErrorReason;
use minijinja::context;

use super::{page::see_other, pay::says_the_order, reader::Reader, table::Says as _, words};
use crate::{
    app::Shared,
    extract::{Access, Form, Object},
    problem::Problem,
    rest::{self, OrderCancellation, types::Money},
};

/// `GET /orders/{id}/cancel`: exactly what goes back, before anything happens.
pub async fn ask(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let order = rest::get_order(&app, &access, false).await?;
    let Some(offer) = &order.cancellation else {
        return see_other(&format!("/orders/{}", order.id));
    };
    let event = &order.event;
    let values = context! {
        title => language.say("cancel.title"),
        id => &order.id,
        number => &order.number,
        event => context! {
            title => &event.title,
            when => event.date_time.map(|at| words::when(language, at, &event.timezone)),
        },
        refund => words::amount(language, &offer.refund),
        fee => words::amount(language, &offer.fee),
        refund_minor => offer.refund.amount_minor,
        currency => &offer.refund.currency,
        until => words::when(language, offer.until, &event.timezone),
    };
    app.pages.render(language, "cancel.html", values)
}

/// `POST /orders/{id}/cancel`: gives the tickets back. A paid order says what goes back, as it was shown.
pub async fn cancel(
    State(app): State<Shared>,
    access: Access<OrderId>,
    form: Form,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", access.id);
    let expected = form.text("refund_minor");
    let wish = OrderCancellation {
        expected_refund: (!expected.is_empty()).then(|| {
            Object(Money {
                // What is no number is an amount that nobody was shown, and the service refuses it.
                amount_minor: expected.parse().unwrap_or(-1),
                currency: form.text("currency").to_owned(),
            })
        }),
    };
    match rest::cancel_order(&app, access, wish).await {
        // Another amount would go back now: it is shown first.
        Err(problem) if problem.reason() == ErrorReason::TotalChanged => {
            see_other(&format!("{own_page}/cancel"))
        }
        Err(problem) if !says_the_order(problem.reason()) => Err(problem),
        _ => see_other(&own_page),
    }
}
