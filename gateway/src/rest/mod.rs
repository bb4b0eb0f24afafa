//! The index of the REST edge: one line per operation.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::Shared, problem::ProblemBody};

// The shop's pages make the same calls.
pub use guest::{
    cancel_order::cancel as cancel_order,
    get_hold::fetch as get_hold,
    get_order::fetch as get_order,
    place_order::{NewOrder, place as place_order},
    start_payment::{NewPayment, start as start_payment},
};

mod admin;
mod guest;
mod open;
mod problems;
pub mod types;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Boxoffice",
        description = "Concerts, holds, orders and tickets. Errors are `application/problem+json`; \
                       every `type` is a page that explains the reason."
    ),
    components(schemas(ProblemBody)),
    modifiers(&Secrets),
    tags(
        (name = "guest", description = "For guests, who need no account."),
        (name = "admin", description = "For admins."),
        (name = "open", description = "For everyone."),
    )
)]
struct Api;

/// The two proofs that callers send as `Authorization: Bearer`.
struct Secrets;

impl Modify for Secrets {
    fn modify(&self, api: &mut Document) {
        let bearer = |about: &str| {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(about));
            SecurityScheme::Http(scheme.build())
        };
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("guest_secret", bearer("The `secret` of a hold or order."));
        components.add_security_scheme("access_token", bearer("From `POST /api/v1/auth/login`."));
    }
}

/// Every documented route.
pub fn routes(webhook_body_limit_bytes: usize) -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(of_guests())
        // providers
        .merge(open::receive_webhook::routes(webhook_body_limit_bytes))
        // admins
        .routes(routes!(admin::setup::setup))
        .routes(routes!(admin::login::login))
        .routes(routes!(admin::get_me::get_me))
        .routes(routes!(
            admin::list_events::list_own_events,
            admin::create_event::create_event
        ))
        .routes(routes!(
            admin::get_event::get_own_event,
            admin::update_event::update_event,
            admin::delete_event::delete_event
        ))
        .routes(routes!(
            admin::list_ticket_types::list_ticket_types,
            admin::create_ticket_type::create_ticket_type
        ))
        .routes(routes!(
            admin::update_ticket_type::update_ticket_type,
            admin::delete_ticket_type::delete_ticket_type
        ))
        .routes(routes!(
            admin::list_pools::list_pools,
            admin::create_pool::create_pool
        ))
        .routes(routes!(admin::update_pool::update_pool))
        .routes(routes!(admin::cancel_event::cancel_event))
        .routes(routes!(admin::postpone_event::postpone_event))
        .routes(routes!(admin::archive_event::archive_event))
        .routes(routes!(admin::clone_event::clone_event))
        .routes(routes!(admin::get_event_refund::get_event_refund))
        .routes(routes!(admin::get_event_accounts::get_event_accounts))
        .routes(routes!(admin::list_orders::list_orders))
        .routes(routes!(admin::export_orders::export_orders))
        .routes(routes!(admin::get_order::inspect_order))
        .routes(routes!(admin::refund_order::refund_order))
        .routes(routes!(admin::confirm_payment::confirm_payment))
        .routes(routes!(admin::reject_payment::reject_payment))
        .routes(routes!(admin::verify_payment::verify_payment))
        .routes(routes!(admin::resolve_mismatch::resolve_mismatch))
        .routes(routes!(admin::list_refunds::list_refunds))
        .routes(routes!(admin::retry_refund::retry_refund))
        .routes(routes!(admin::settle_refund::settle_refund))
        .routes(routes!(admin::list_halted_pools::list_halted_pools))
        .routes(routes!(admin::resume_pool::resume_pool))
        // everyone
        .routes(routes!(open::list_keys::list_keys))
        .routes(routes!(open::health::health))
        .routes(routes!(open::readiness::readiness))
}

fn of_guests() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(guest::list_events::list_events))
        .routes(routes!(guest::get_event::get_event))
        .routes(routes!(guest::get_availability::get_availability))
        .routes(routes!(guest::stream_availability::stream_availability))
        .routes(routes!(guest::hold_tickets::hold_tickets))
        .routes(routes!(
            guest::get_hold::get_hold,
            guest::release_hold::release_hold
        ))
        .routes(routes!(guest::place_order::place_order))
        .routes(routes!(guest::get_order::get_order))
        .routes(routes!(guest::start_payment::start_payment))
        .routes(routes!(guest::cancel_order::cancel_order))
        .routes(routes!(guest::get_tickets_pdf::get_tickets_pdf))
        .routes(routes!(guest::get_calendar::get_calendar))
        .routes(routes!(guest::get_receipt::get_receipt))
}
