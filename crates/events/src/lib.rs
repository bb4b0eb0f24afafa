//! Messages between services that must not be lost: an outbox row in the sender's transaction, the
//! broker as the fast path, a committed row at the receiver as the truth, and its confirmation back.

mod confirm;
mod consume;
mod nats;
mod outbox;

pub use consume::{AcceptMessages, start_consumer};
pub use nats::{Nats, NatsError};
pub use outbox::{OutboxConfig, enqueue, start_outbox};

/// Subject prefix of what travels on JetStream; the kind follows.
const EVENT_SUBJECT: &str = "boxoffice.event";
/// Plain NATS, best effort: which messages are committed rows at notify-svc.
const ACCEPTED_SUBJECT: &str = "boxoffice.notify.accepted";
