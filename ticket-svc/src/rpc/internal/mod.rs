//! For other services: the steps of an order, and what the gateway collects. Each may be repeated.

pub mod begin_payment;
pub mod check_grant;
pub mod commit_order;
pub mod count_views;
pub mod erase_holders;
pub mod hold_tickets_batch;
pub mod list_event_changes;
pub mod list_grants;
pub mod list_order_tickets;
pub mod release_order;
pub mod transfer_ticket;
pub mod void_tickets;
