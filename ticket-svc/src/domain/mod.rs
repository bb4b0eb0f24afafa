//! The rules, without database, network or clock of their own.

pub mod event_status;
pub mod hold_state;
pub mod limits;
pub mod sales;
pub mod ticket_code;
