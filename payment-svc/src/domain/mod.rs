//! The rules of orders and money, without I/O.

pub mod attempt_state;
pub mod cancellation;
pub mod order_number;
pub mod order_state;
pub mod refund_state;
pub mod reminder_time;
pub mod schedule;
pub mod shares;
pub mod tax;
pub mod timeline;
