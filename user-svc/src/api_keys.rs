//! Keys with which programs act for an account, as several operations read them.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

/// Of one account.
pub(crate) const KEYS_MAX: i64 = 100;
/// Shows what it is to whoever finds one, people and programs that search for secrets.
const PREFIX: &str = "boxkey_";

/// The secret of a key, from a random token.
pub(crate) fn secret_of(token: &str) -> String {
    format!("{PREFIX}{token}")
}

pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) last_used_at: Option<OffsetDateTime>,
    pub(crate) last_network: Option<String>,
}

impl Row {
    pub(crate) fn to_wire(&self) -> proto::user::ApiKey {
        proto::user::ApiKey {
            id: self.id.to_string(),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            created_at: Some(proto::timestamp(self.created_at)),
            expires_at: Some(proto::timestamp(self.expires_at)),
            last_used_at: self.last_used_at.map(proto::timestamp),
            last_network: self.last_network.clone().unwrap_or_default(),
        }
    }
}

/// Those of an account that are good still, the latest first.
pub(crate) async fn select(
    conn: &mut PgConnection,
    of: Uuid,
    now: OffsetDateTime,
) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, name, scopes, created_at, expires_at, last_used_at, last_network
         FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
         ORDER BY created_at DESC, id DESC LIMIT $3",
        of,
        now,
        KEYS_MAX,
    );
    Ok(rows.fetch_all(conn).await?)
}
