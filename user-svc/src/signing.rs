//! The keys that sign access tokens. Private halves never leave this service.

use anyhow::Context as _;
use auth::{Claims, KeySource, KeysUnavailable, VerificationKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base::{Sealer, Sources};
use db::{Db, DbError};
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sqlx::PgConnection;
use time::OffsetDateTime;

const SEAL_PURPOSE: &str = "signing-key";
/// Bytes of the public key's hash in its id: enough that two keys never meet.
const KEY_ID_BYTES: usize = 8;

/// Signs access tokens with the current key.
pub(crate) struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&self.header, claims, &self.key)
    }
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
    let private_key = sealer
        .open(SEAL_PURPOSE, &stored.sealed_private_key)
        .with_context(|| format!("SIGNING_SEAL_KEY does not open the key {}", stored.key_id))?;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(stored.key_id);
    Ok(Signer {
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
        tracing::info!(key_id = new.key_id, "made the first signing key");
    }
    find_current(conn).await?.ok_or(DbError::Busy)
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

/// The key set as this service itself reads it.
#[derive(Debug)]
pub(crate) struct LocalKeys(Db);

impl LocalKeys {
    pub(crate) fn new(db: Db) -> Self {
        Self(db)
    }

    /// Every key that verifies, the current one first.
    pub(crate) async fn list(&self) -> Result<Vec<VerificationKey>, DbError> {
        let rows = self
            .0
            .read((), |conn, ()| Box::pin(select_public(conn)))
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(key_id, bytes)| {
                Some(VerificationKey {
                    key_id,
                    public_key: bytes.try_into().ok()?,
                })
            })
            .collect())
    }
}

impl KeySource for LocalKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>, KeysUnavailable>> {
        Box::pin(async move {
            self.list()
                .await
                .map_err(|error| KeysUnavailable(Box::new(error)))
        })
    }
}

async fn select_public(conn: &mut PgConnection) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let rows = sqlx::query!(
        "SELECT key_id, public_key FROM signing_keys ORDER BY status = 'current' DESC, created_at DESC",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.key_id, row.public_key))
        .collect())
}
