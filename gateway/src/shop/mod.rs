//! The shop: pages that a phone reads without a script. Forms lead to the same calls as REST.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use crate::app::Shared;

mod assets;
mod buy;
mod cancel;
mod checkout;
mod choose;
mod error_page;
mod event;
mod one_host;
mod open_link;
mod order;
mod order_words;
pub mod page;
mod pay;
pub mod problem_page;
mod programme;
mod qr;
mod release;
mod sandbox;
mod sandbox_pay;
mod sandbox_settle;
mod to_payment;
mod words;

/// Every page.
pub fn routes(app: Shared) -> Router<Shared> {
    Router::new()
        .route("/", get(programme::programme))
        .route("/events/{id}", get(event::event).post(choose::choose))
        .route("/checkout/{id}", get(checkout::checkout).post(buy::buy))
        .route("/checkout/{id}/release", post(release::release))
        .route("/o/{id}/{secret}", get(open_link::open_link))
        .route("/orders/{id}", get(order::order))
        .route(
            "/orders/{id}/pay",
            get(to_payment::to_payment).post(pay::pay),
        )
        .route("/orders/{id}/cancel", post(cancel::cancel))
        .route(
            "/pay/sandbox/{reference}",
            get(sandbox::sandbox).post(sandbox_pay::sandbox_pay),
        )
        .route(
            "/pay/sandbox/{reference}/settle",
            post(sandbox_settle::sandbox_settle),
        )
        .route("/errors/{reason}", get(error_page::error_page))
        .route("/shop/style.css", get(assets::style))
        .route("/shop/shop.js", get(assets::script))
        .route("/shop/live.js", get(assets::live))
        .route("/shop/icon.svg", get(assets::icon))
        .layer(from_fn_with_state(app, one_host::one_host))
}
