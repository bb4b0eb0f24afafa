use std::sync::Arc;

use base::{KeyRing, Sealer, Secret, Sources};
use db::Db;
use kit::{Shutdown, Tasks};
use tokio::sync::Notify;

use crate::{board::Board, links::Links, passwords::Passwords, signing::Signer};

/// What the operations share.
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) passwords: Passwords,
    pub(crate) signer: Arc<Signer>,
    pub(crate) setup_token: Option<Secret>,
    /// Seals what is kept to be read again by this service alone.
    pub(crate) sealer: Sealer,
    /// Keyed hashes of what is counted and must not be read.
    pub(crate) pepper: KeyRing,
    pub(crate) links: Links,
    /// Wakes the outbox right after a commit that wrote a mail.
    pub(crate) mails: Arc<Notify>,
    /// What verifiers must know.
    pub(crate) board: Arc<Board>,
    /// What goes on to its end when its caller hangs up.
    pub(crate) tasks: Tasks,
    /// Begins when the server begins to drain.
    pub(crate) closing: Shutdown,
    pub(crate) sources: Sources,
}
