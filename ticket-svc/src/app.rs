use base::{KeyRing, Sources};
use db::Db;

use crate::config::Config;

/// What every operation has at hand.
pub struct App {
    pub db: Db,
    pub sources: Sources,
    pub hold_keys: KeyRing,
    pub ticket_code_keys: KeyRing,
    pub hold_ttl_secs: u32,
    pub card_payment_secs: u32,
    pub manual_payment_secs: u32,
}

impl App {
    pub fn new(config: &Config, db: Db, sources: Sources) -> Self {
        Self {
            db,
            sources,
            hold_keys: config.hold_keys.clone(),
            ticket_code_keys: config.ticket_code_keys.clone(),
            hold_ttl_secs: config.hold_ttl_secs,
            card_payment_secs: config.card_payment_secs,
            manual_payment_secs: config.manual_payment_secs,
        }
    }
}
