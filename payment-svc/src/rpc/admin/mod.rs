//! For admins: each sees the orders of the events they were granted, a superadmin all.

pub(super) mod change_address;
pub(super) mod confirm_payment;
pub(super) mod erase_guest;
mod erase_held;
pub(super) mod export_orders;
pub(super) mod get_event_accounts;
pub(super) mod get_event_refund;
pub(super) mod inspect_order;
pub(super) mod list_orders;
pub(super) mod list_refunds;
pub(super) mod read_sales;
pub(super) mod refund_order;
pub(super) mod reject_payment;
pub(super) mod resolve_mismatch;
pub(super) mod retry_refund;
pub(super) mod send_receipt;
pub(super) mod settle_refund;
mod sight;
mod summary;
pub(super) mod verify_payment;

pub(crate) use sight::OwnEvents;
