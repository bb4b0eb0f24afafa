//! For payment-svc: the steps of an order. Each may be repeated.

pub mod begin_payment;
pub mod commit_order;
pub mod list_order_tickets;
pub mod release_order;
