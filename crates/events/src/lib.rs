//! Messages between services that must not be lost: an outbox row in the sender's transaction, the
//! broker as the fast path, a committed row at the receiver as the truth, and its confirmation back.

mod alarm;
mod confirm;
mod consume;
mod enqueue;
mod health;
mod nats;
mod outbox;
mod publish;
mod received;
mod rows;
mod stream;

pub use alarm::oldest_open_age;
pub use consume::{AcceptMessages, Poison, start_consumer};
pub use enqueue::{Message, enqueue, kind_of};
pub use nats::{Nats, NatsError};
pub use outbox::{OutboxConfig, start_outbox};

/// Subject prefix of what travels on JetStream; the kind follows.
const EVENT_SUBJECT: &str = "boxoffice.event";
/// Plain NATS, best effort: which messages are committed rows at notify-svc.
const ACCEPTED_SUBJECT: &str = "boxoffice.notify.accepted";
