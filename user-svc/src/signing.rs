//! The keys that sign access tokens. Private halves never leave this service.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use auth::Claims;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base::{Sealer, Sources};
use db::{Db, DbError};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kit::Tasks;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    domain::session::REVOCATION_TOLD_FOR,
    error::Error,
    store::{self, AuditEntry},
};

const SEAL_PURPOSE: &str = "signing-key";
/// Bytes of the public key's hash in its id: enough that two keys never meet.
const KEY_ID_BYTES: usize = 8;

/// A process that has not heard of a rotation signs with the key before for this long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Signs access tokens with the current key.
pub(crate) struct Signer {
    db: Db,
    sealer: Sealer,
    sources: Sources,
    current: RwLock<Arc<Key>>,
}

struct Key {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let current = self.current().clone();
        jsonwebtoken::encode(&current.header, claims, &current.key)
    }

    /// Another key signs from now on. What the ones before have signed is good as long as it lives, or with
    /// `revoke` not any more. Of two rotations at once both are told the same key.
    pub(crate) async fn rotate(&self, revoke: bool, audit: AuditEntry) -> Result<String, Error> {
        let new = new_key(&self.sealer, &self.sources);
        let new = new.map_err(|error| Error::Internal(error.into()))?;
        let rotation = Rotation { new, revoke, audit };
        let stored = self
            .db
            .run(rotation, |conn, rotation| Box::pin(replace(conn, rotation)))
            .await?;
        let key_id = stored.key_id.clone();
        let opened = open(&self.sealer, stored);
        self.keep(opened.map_err(|error| Error::Internal(error.into()))?);
        Ok(key_id)
    }

    /// Notices what another process has rotated.
    pub(crate) fn follow(self: &Arc<Self>, tasks: &Tasks) {
        let signer = self.clone();
        tasks.job(
            "follow_signing_key",
            LOOK_EVERY,
            Arc::default(),
            move || {
                let signer = signer.clone();
                async move {
                    let found = signer.db.read((), |conn, ()| Box::pin(find_current(conn)));
                    if let Some(stored) = found.await?
                        && signer.current().header.kid.as_ref() != Some(&stored.key_id)
                    {
                        signer.keep(open(&signer.sealer, stored)?);
                    }
                    Ok(false)
                }
            },
        );
    }

    fn current(&self) -> Arc<Key> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, key: Key) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(key);
    }
}

struct Rotation {
    new: NewKey,
    revoke: bool,
    audit: AuditEntry,
}

struct NewKey {
    key_id: String,
    public_key: Vec<u8>,
    sealed_private_key: Vec<u8>,
    created_at: OffsetDateTime,
}

struct StoredKey {
    key_id: String,
    sealed_private_key: Vec<u8>,
}

/// The current key; on the first start a new one. Replicas that start together agree on one.
pub(crate) async fn load_or_create(
    db: &Db,
    sealer: &Sealer,
    sources: &Sources,
) -> anyhow::Result<Signer> {
    let stored = match db.read((), |conn, ()| Box::pin(find_current(conn))).await? {
        Some(stored) => stored,
        None => {
            let new = new_key(sealer, sources)?;
            db.run(new, |conn, new| Box::pin(insert_or_find(conn, new)))
                .await?
        }
    };
    Ok(Signer {
        current: RwLock::new(Arc::new(open(sealer, stored)?)),
        db: db.clone(),
        sealer: sealer.clone(),
        sources: sources.clone(),
    })
}

fn open(sealer: &Sealer, stored: StoredKey) -> anyhow::Result<Key> {
    let private_key = sealer
        .open(SEAL_PURPOSE, &stored.sealed_private_key)
        .with_context(|| format!("SIGNING_SEAL_KEY does not open the key {}", stored.key_id))?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(stored.key_id);
    Ok(Key {
        header,
        key: EncodingKey::from_ed_der(&private_key),
    })
}

fn new_key(sealer: &Sealer, sources: &Sources) -> anyhow::Result<NewKey> {
    let seed: [u8; 32] = sources.bytes();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).context("making a signing key")?;
    let private_key = pair.to_pkcs8().context("encoding a signing key")?;
    let public_key = pair.public_key().as_ref().to_vec();
    Ok(NewKey {
        key_id: base::hex(&base::digest(&public_key)[..KEY_ID_BYTES]),
        sealed_private_key: sealer.seal(sources, SEAL_PURPOSE, private_key.as_ref()),
        public_key,
        created_at: sources.now(),
    })
}

async fn insert_or_find(conn: &mut PgConnection, new: &NewKey) -> Result<StoredKey, DbError> {
    let inserted = sqlx::query!(
        "INSERT INTO signing_keys (key_id, public_key, sealed_private_key, status, created_at)
         VALUES ($1, $2, $3, 'current', $4)
         ON CONFLICT (status) WHERE status = 'current' DO NOTHING",
        new.key_id,
        new.public_key,
        new.sealed_private_key,
        new.created_at,
    )
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 1 {
        tracing::info!(key_id = new.key_id, "made a signing key");
    }
    find_current(conn).await?.ok_or(DbError::Busy)
}

async fn replace(conn: &mut PgConnection, rotation: &Rotation) -> Result<StoredKey, Error> {
    let new = &rotation.new;
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM signing_keys WHERE key_id = $1) AS "known!""#,
        new.key_id,
    );
    // An earlier attempt of this very call may have done it.
    if !known.fetch_one(&mut *conn).await? {
        sqlx::query!(
            "UPDATE signing_keys SET status = 'previous', replaced_at = $1
             WHERE status = 'current'",
            new.created_at,
        )
        .execute(&mut *conn)
        .await?;
    }
    let current = insert_or_find(conn, new).await?;
    if rotation.revoke {
        sqlx::query!("DELETE FROM signing_keys WHERE status = 'previous'")
            .execute(&mut *conn)
            .await?;
    }
    let audit = rotation.audit.clone();
    let told = json!({"key_id": current.key_id, "revoked_previous": rotation.revoke});
    store::audit(conn, &audit.after(told)).await?;
    Ok(current)
}

/// Keys that no living token is signed with go.
pub(crate) async fn retire(conn: &mut PgConnection, now: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!(
        "DELETE FROM signing_keys WHERE status = 'previous' AND replaced_at < $1",
        now - REVOCATION_TOLD_FOR,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn find_current(conn: &mut PgConnection) -> Result<Option<StoredKey>, DbError> {
    let stored = sqlx::query_as!(
        StoredKey,
        "SELECT key_id, sealed_private_key FROM signing_keys WHERE status = 'current'",
    )
    .fetch_optional(conn)
    .await?;
    Ok(stored)
}
