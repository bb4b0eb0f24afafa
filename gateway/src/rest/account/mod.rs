//! Accounts of admins: sessions, ways in, and who may have one.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::Shared;

mod begin_second_factor;
mod change_password;
mod confirm_second_factor;
mod create_account;
mod create_api_key;
mod decide_account_request;
mod exchange_api_key;
mod invite_admin;
mod list_accounts;
mod list_api_keys;
mod list_invitations;
mod list_sessions;
mod logout;
mod refresh;
mod register;
mod remove_second_factor;
mod request_account;
mod request_password_reset;
mod reset_password;
mod reset_second_factor;
mod revoke_api_key;
mod revoke_invitation;
mod revoke_session;
mod rotate_signing_key;
mod types;
mod update_account;

pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(list_sessions::list_sessions))
        .routes(routes!(revoke_session::revoke_session))
        .routes(routes!(change_password::change_password))
        .routes(routes!(begin_second_factor::begin_second_factor))
        .routes(routes!(confirm_second_factor::confirm_second_factor))
        .routes(routes!(remove_second_factor::remove_second_factor))
        .routes(routes!(reset_second_factor::reset_second_factor))
        .routes(routes!(
            list_api_keys::list_api_keys,
            create_api_key::create_api_key
        ))
        .routes(routes!(revoke_api_key::revoke_api_key))
        .routes(routes!(exchange_api_key::exchange_api_key))
        .routes(routes!(register::register))
        .routes(routes!(request_account::request_account))
        .routes(routes!(request_password_reset::request_password_reset))
        .routes(routes!(reset_password::reset_password))
        .routes(routes!(rotate_signing_key::rotate_signing_key))
        .routes(routes!(
            list_accounts::list_accounts,
            create_account::create_account
        ))
        .routes(routes!(update_account::update_account))
        .routes(routes!(
            list_invitations::list_invitations,
            invite_admin::invite_admin
        ))
        .routes(routes!(revoke_invitation::revoke_invitation))
        .routes(routes!(decide_account_request::decide_account_request))
}
