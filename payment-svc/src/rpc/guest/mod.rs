pub(super) mod cancel_order;
pub(super) mod get_order;
pub(super) mod get_receipt;
pub(super) mod get_sandbox_session;
pub(super) mod place_order;
mod prepare;
pub(super) mod start_payment;
pub(super) mod submit_sandbox_card;
