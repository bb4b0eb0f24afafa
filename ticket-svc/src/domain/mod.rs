//! The rules, without database, network or clock of their own.

pub mod cancellation;
pub mod event_status;
pub mod fee;
pub mod hold_day;
pub mod hold_state;
pub mod key_state;
pub mod limits;
pub mod period;
pub mod provider;
pub mod sales;
pub mod ticket_code;
pub mod verdict;
