//! The index of the REST edge: one line per operation.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::Shared, problem::ProblemBody};

// The shop's pages make the same calls.
pub use guest::{
    cancel_order::{OrderCancellation, cancel as cancel_order},
    correct_address::{AddressCorrection, correct as correct_address},
    get_delivery::fetch as get_delivery,
    get_hold::fetch as get_hold,
    get_order::fetch as get_order,
    get_terms::terms as get_terms,
    get_transferred_ticket::fetch as get_transferred_ticket,
    hold_tickets::set_aside,
    place_order::{NewOrder, place as place_order},
    redeem_lookup_code::redeem as redeem_lookup_code,
    release_hold::release as release_hold,
    request_lookup_code::{NewLookup, request as request_lookup_code},
    resend_receipt::resend as resend_receipt,
    start_payment::{NewPayment, start as start_payment},
    stream_order::places as order_streams,
    transfer_ticket::{NewHolder, transfer as transfer_ticket},
    unsubscribe::end as unsubscribe,
    update_preferences::{PreferencesChange, update as update_preferences},
};

mod account;
mod admin;
pub mod document;
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

/// The proofs that callers send, as `Authorization: Bearer` or in a cookie.
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
        let session = "From `POST /api/v1/auth/session`; with https its name begins with `__Host-`. \
                       What changes something brings `X-CSRF-Token`, too.";
        let session = ApiKeyValue::with_description("session", session);
        let session = SecurityScheme::ApiKey(ApiKey::Cookie(session));
        components.add_security_scheme("dashboard_session", session);
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
        .merge(of_the_dashboard())
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
        .merge(of_the_record())
        .routes(routes!(admin::list_ticket_keys::list_ticket_keys))
        .routes(routes!(admin::rotate_ticket_keys::rotate_ticket_keys))
        .routes(routes!(admin::verify_ticket::verify_ticket))
        .routes(routes!(admin::cancel_event::cancel_event))
        .routes(routes!(admin::postpone_event::postpone_event))
        .routes(routes!(admin::archive_event::archive_event))
        .routes(routes!(admin::clone_event::clone_event))
        .merge(of_figures())
        .merge(of_orders())
        .routes(routes!(admin::list_halted_pools::list_halted_pools))
        .routes(routes!(admin::list_services::list_services))
        .routes(routes!(admin::resume_pool::resume_pool))
        .routes(routes!(admin::list_templates::list_templates))
        .routes(routes!(
            admin::get_template::get_template,
            admin::publish_template::publish_template
        ))
        .routes(routes!(admin::preview_template::preview_template))
        .routes(routes!(admin::revert_template::revert_template))
        .merge(of_the_post())
        // everyone
        .routes(routes!(open::list_keys::list_keys))
        .routes(routes!(open::security_txt::security_txt))
        .routes(routes!(open::health::health))
        .routes(routes!(open::readiness::readiness))
}

/// What concerts came to.
fn of_figures() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(admin::read_insights::read_insights))
        .routes(routes!(admin::get_event_accounts::get_event_accounts))
        .routes(routes!(admin::get_event_refund::get_event_refund))
}

/// Who may do what, and who did it.
fn of_the_record() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(admin::list_audit::list_audit))
        .routes(routes!(admin::list_event_grants::list_event_grants))
        .routes(routes!(
            admin::set_event_grant::set_event_grant,
            admin::remove_event_grant::remove_event_grant
        ))
}

/// Accounts, and the dashboard's session, beside the tokens of programs; and pictures.
fn of_the_dashboard() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(account::routes())
        .merge(admin::set_event_image::routes())
        .routes(routes!(
            admin::get_session::get_session,
            admin::open_session::open_session,
            admin::close_session::close_session
        ))
        .routes(routes!(admin::refresh_session::refresh_session))
}

/// What admins do about mails.
fn of_the_post() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(admin::list_notifications::list_notifications))
        .routes(routes!(admin::get_notification::get_notification))
        .routes(routes!(admin::read_notification::read_notification))
        .routes(routes!(admin::retry_notification::retry_notification))
        .routes(routes!(admin::resend_notification::resend_notification))
        .routes(routes!(admin::dismiss_notification::dismiss_notification))
        .routes(routes!(admin::report_bounce::report_bounce))
        .routes(routes!(admin::list_poison_messages::list_poison_messages))
        .routes(routes!(
            admin::dismiss_poison_message::dismiss_poison_message
        ))
}

fn of_orders() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(admin::list_orders::list_orders))
        .routes(routes!(admin::export_orders::export_orders))
        .routes(routes!(admin::get_order::inspect_order))
        .routes(routes!(admin::erase_guest::erase_guest))
        .routes(routes!(admin::refund_order::refund_order))
        .routes(routes!(admin::confirm_payment::confirm_payment))
        .routes(routes!(admin::reject_payment::reject_payment))
        .routes(routes!(admin::verify_payment::verify_payment))
        .routes(routes!(admin::send_receipt::send_receipt))
        .routes(routes!(admin::change_address::change_address))
        .routes(routes!(admin::resolve_mismatch::resolve_mismatch))
        .routes(routes!(admin::list_refunds::list_refunds))
        .routes(routes!(admin::retry_refund::retry_refund))
        .routes(routes!(admin::settle_refund::settle_refund))
}

fn of_guests() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(guest::list_events::list_events))
        .routes(routes!(guest::get_event::get_event))
        .routes(routes!(guest::get_availability::get_availability))
        .routes(routes!(guest::stream_availability::stream_availability))
        .routes(routes!(guest::get_door_list::get_door_list))
        .routes(routes!(guest::hold_tickets::hold_tickets))
        .routes(routes!(
            guest::get_hold::get_hold,
            guest::release_hold::release_hold
        ))
        .routes(routes!(guest::place_order::place_order))
        .routes(routes!(guest::get_order::get_order))
        .routes(routes!(guest::stream_order::stream_order))
        .routes(routes!(guest::start_payment::start_payment))
        .routes(routes!(guest::cancel_order::cancel_order))
        .routes(routes!(guest::get_tickets_pdf::get_tickets_pdf))
        .routes(routes!(guest::get_calendar::get_calendar))
        .routes(routes!(
            guest::get_receipt::get_receipt,
            guest::resend_receipt::resend_receipt
        ))
        .routes(routes!(guest::get_receipt_pdf::get_receipt_pdf))
        .routes(routes!(guest::download_all::download_all))
        .merge(of_the_desk())
}

fn of_the_desk() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(guest::get_terms::get_terms))
        .routes(routes!(guest::request_lookup_code::request_lookup_code))
        .routes(routes!(guest::redeem_lookup_code::redeem_lookup_code))
        .routes(routes!(guest::get_order_mark::get_order_mark))
        .routes(routes!(guest::get_delivery::get_delivery))
        .routes(routes!(guest::update_preferences::update_preferences))
        .routes(routes!(guest::unsubscribe::unsubscribe))
        .routes(routes!(guest::correct_address::correct_address))
        .routes(routes!(guest::transfer_ticket::transfer_ticket))
        .routes(routes!(
            guest::get_transferred_ticket::get_transferred_ticket
        ))
        .routes(routes!(
            guest::get_transferred_ticket_pdf::get_transferred_ticket_pdf
        ))
        .routes(routes!(
            guest::get_transferred_ticket_calendar::get_transferred_ticket_calendar
        ))
}
