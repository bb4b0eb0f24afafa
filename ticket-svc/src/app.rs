use std::sync::Arc;

use base::{KeyRing, Sources};
use db::Db;
use kit::Shutdown;

use tokio::sync::Notify;

use crate::{availability::Board, commit::Commits, config::Config, hold::Lanes, signers::Signers};

/// What every operation has at hand.
pub struct App {
    pub db: Db,
    /// Where holds are made; closed until the service starts them.
    pub lanes: Lanes,
    /// Where plain orders are committed; closed until the service starts it.
    pub commits: Commits,
    pub sources: Sources,
    pub hold_keys: KeyRing,
    /// Makes the codes of tickets.
    pub signers: Signers,
    pub card_payment_secs: u32,
    pub manual_payment_secs: u32,
    /// What is left of every event, while anybody watches.
    pub availability: Arc<Board>,
    /// To be nudged after a change of the programme.
    pub announce: Arc<Notify>,
    /// Begins when the server begins to drain.
    pub closing: Shutdown,
}

impl App {
    pub fn new(config: &Config, db: Db, sources: Sources) -> Self {
        Self {
            db,
            lanes: Lanes::default(),
            commits: Commits::default(),
            sources,
            hold_keys: config.hold_keys.clone(),
            signers: Signers::new(config.ticket_code_keys.clone()),
            card_payment_secs: config.card_payment_secs,
            manual_payment_secs: config.manual_payment_secs,
            availability: Board::new(),
            announce: Arc::default(),
            closing: Shutdown::new(),
        }
    }
}
