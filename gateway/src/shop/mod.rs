//! The shop: pages that a phone reads without a script. Forms lead to the same calls as REST.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use crate::app::Shared;

mod address;
mod assets;
mod buy;
mod cancel;
mod checkout;
mod choose;
pub mod docs;
mod error_page;
mod event;
mod find;
mod linked_data;
pub mod one_host;
mod open_hold;
mod open_link;
mod order;
mod order_words;
pub mod page;
mod pay;
mod preferences;
mod preview;
pub mod problem_page;
mod programme;
mod qr;
pub mod reader;
mod release;
mod resend;
mod sandbox;
mod sandbox_pay;
mod sandbox_settle;
mod table;
mod terms;
mod ticket;
mod to_payment;
mod transfer;
mod unsubscribe;
mod words;

/// What guests do for themselves once they have ordered.
fn desk() -> Router<Shared> {
    Router::new()
        .route("/find", get(find::form).post(find::find))
        .route("/find/code", post(find::code))
        .route("/orders/{id}/resend", post(resend::resend))
        .route("/orders/{id}/preferences", post(preferences::preferences))
        .route(
            "/orders/{id}/address",
            get(address::ask).post(address::correct),
        )
        .route(
            "/orders/{id}/tickets/{ticket}/transfer",
            get(transfer::ask).post(transfer::transfer),
        )
        .route("/t/{id}/{secret}", get(ticket::open))
        .route("/tickets/{id}", get(ticket::ticket))
        .route(
            "/u/{id}/{token}",
            get(unsubscribe::ask).post(unsubscribe::unsubscribe),
        )
        .route("/terms", get(terms::terms))
}

/// Every page.
pub fn routes(app: Shared) -> Router<Shared> {
    Router::new()
        .route("/", get(programme::programme))
        .route("/events/{id}", get(event::event).post(choose::choose))
        .route("/checkout/{id}", get(checkout::checkout).post(buy::buy))
        .route("/checkout/{id}/release", post(release::release))
        .route("/h/{id}/{secret}", get(open_hold::open_hold))
        .route("/o/{id}/{secret}", get(open_link::open_link))
        .route("/orders/{id}", get(order::order))
        .route(
            "/orders/{id}/pay",
            get(to_payment::to_payment).post(pay::pay),
        )
        .route("/orders/{id}/cancel", get(cancel::ask).post(cancel::cancel))
        .merge(desk())
        .route(
            "/pay/sandbox/{reference}",
            get(sandbox::sandbox).post(sandbox_pay::sandbox_pay),
        )
        .route(
            "/pay/sandbox/{reference}/settle",
            post(sandbox_settle::sandbox_settle),
        )
        .route("/admin/events/{id}/preview", get(preview::preview))
        .route("/errors/{reason}", get(error_page::error_page))
        .route("/shop/style.css", get(assets::style))
        .route("/shop/shop.js", get(assets::script))
        .route("/shop/live.js", get(assets::live))
        .route("/shop/icon.svg", get(assets::icon))
        .layer(from_fn_with_state(app.clone(), reader::remember))
        .layer(from_fn_with_state(app, one_host::one_host))
}
