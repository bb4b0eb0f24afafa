use std::sync::Arc;

use base::{Secret, Sources};
use db::Db;

use crate::{
    passwords::Passwords,
    signing::{LocalKeys, Signer},
};

/// What the operations share.
pub(crate) struct App {
    pub(crate) db: Db,
    pub(crate) passwords: Passwords,
    pub(crate) signer: Signer,
    pub(crate) setup_token: Option<Secret>,
    pub(crate) keys: Arc<LocalKeys>,
    pub(crate) sources: Sources,
}
