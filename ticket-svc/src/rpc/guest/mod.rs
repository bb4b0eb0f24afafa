//! For anyone; where the answer is private, the request carries the hold's secret.

pub mod get_event;
pub mod get_hold;
pub mod hold_tickets;
pub mod list_events;
pub mod read_door_list;
pub mod read_programme;
pub mod release_hold;
pub mod watch_availability;
