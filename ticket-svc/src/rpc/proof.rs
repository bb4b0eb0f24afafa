use base::{HoldId, KeyRing, Secret};
use sqlx::PgConnection;

use crate::{
    error::Error,
    store::holds::{self, Hold},
};

/// Keeps the secrets of holds apart from every other use of the key.
pub const PURPOSE: &str = "hold";

/// A hold and the secret that its reader presented.
#[derive(Clone, Debug)]
pub struct Proof {
    pub hold_id: HoldId,
    pub secret: Secret,
    pub keys: KeyRing,
}

impl Proof {
    /// One answer for a malformed id, an absent hold and a wrong secret.
    pub fn new(keys: &KeyRing, hold_id: &str, secret: &str) -> Result<Self, Error> {
        let hold_id = hold_id.parse().map_err(|_| not_found())?;
        Ok(Self {
            hold_id,
            secret: Secret::new(secret),
            keys: keys.clone(),
        })
    }

    /// The hold, if the secret is its own.
    pub fn open(&self, hold: Option<Hold>) -> Result<Hold, Error> {
        let presented = self.secret.expose();
        hold.filter(|hold| {
            let (key_id, generation) = (&hold.secret_key_id, hold.secret_generation);
            self.keys
                .verify(key_id, PURPOSE, hold.id.uuid(), generation, presented)
        })
        .ok_or_else(not_found)
    }

    pub async fn find(&self, conn: &mut PgConnection) -> Result<Hold, Error> {
        self.open(holds::find(conn, self.hold_id).await?)
    }
}

fn not_found() -> Error {
    Error::NotFound("hold")
}
