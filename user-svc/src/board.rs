//! What every verifier of tokens must know, as of the last look at the database. One look serves all who
//! watch.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth::{KeySource, KeysUnavailable, RulesStream, TokenRules, VerificationKey};
use base::{Sources, UserId};
use db::{Db, DbError};
use futures::{StreamExt as _, future::BoxFuture, stream};
use kit::Tasks;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify, watch};

use crate::domain::session::REVOCATION_TOLD_FOR;

/// What another process of this service has revoked is seen within this time; one's own at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Who begins to watch hears the last look, unless it is older: it would be taken for one of now.
const LOOK_AGE_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Board {
    db: Db,
    sources: Sources,
    looked: watch::Sender<Option<(Instant, Arc<TokenRules>)>>,
    /// When the last look began that somebody asked for, and what it found; none where it failed. One at a time.
    asked: Mutex<Option<(Instant, Option<Arc<TokenRules>>)>>,
    nudge: Arc<Notify>,
}

impl Board {
    /// Looks until the tasks end.
    pub(crate) fn start(tasks: &Tasks, db: Db, sources: Sources) -> Arc<Self> {
        let nudge = Arc::new(Notify::new());
        let board = Arc::new(Self {
            db,
            sources,
            looked: watch::Sender::new(None),
            asked: Mutex::default(),
            nudge: nudge.clone(),
        });
        let looking = board.clone();
        tasks.job("look_at_revocations", LOOK_EVERY, nudge, move || {
            let board = looking.clone();
            async move {
                let began = Instant::now();
                let rules = board.look().await?;
                // Also where nothing changed: who hears nothing knows that nobody looks.
                board.looked.send_replace(Some((began, Arc::new(rules))));
                Ok(false)
            }
        });
        board
    }

    /// Something was revoked just now.
    pub(crate) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// The rules as the database has them now.
    pub(crate) async fn look(&self) -> Result<TokenRules, DbError> {
        let since = self.sources.now() - REVOCATION_TOLD_FOR;
        self.db
            .read(since, |conn, since| Box::pin(select(conn, *since)))
            .await
    }

    /// The rules as the database has them now, or has had since this call came: however many come at once, one
    /// looks for all who wait. What the job saw last is not enough. Whoever meets a key that they do not know asks
    /// here, and it may be younger than that.
    pub(crate) async fn look_together(&self) -> Result<Arc<TokenRules>, DbError> {
        let came = Instant::now();
        let mut asked = self.asked.lock().await;
        if let Some((began, found)) = &*asked
            && *began >= came
        {
            // A look that failed has failed for all who waited: else they would wait for a turn of each.
            return found.clone().ok_or(DbError::Busy);
        }
        let began = Instant::now();
        let looked = self.look().await.map(Arc::new);
        *asked = Some((began, looked.as_ref().ok().cloned()));
        looked
    }

    /// The last look, unless it is old, and each one from now on.
    pub(crate) fn looks(&self) -> impl futures::Stream<Item = Arc<TokenRules>> + Send + use<> {
        let mut looked = self.looked.subscribe();
        looked.mark_changed();
        let looks = stream::unfold(looked, |mut looked| async move {
            looked.changed().await.ok()?;
            // Copied out: the guard must not be held while anything waits.
            let look = looked.borrow_and_update().clone();
            let look = look.filter(|(began, _)| began.elapsed() < LOOK_AGE_MAX);
            Some((look.map(|(_, rules)| rules), looked))
        });
        looks.filter_map(std::future::ready)
    }
}

/// This service verifies tokens like every other, without the detour.
impl KeySource for Board {
    fn fetch(&self) -> BoxFuture<'_, Result<TokenRules, KeysUnavailable>> {
        Box::pin(async move {
            let looked = self.look().await;
            looked.map_err(|error| KeysUnavailable(Box::new(error)))
        })
    }

    fn watch(&self) -> RulesStream {
        self.looks().map(|rules| Ok((*rules).clone())).boxed()
    }
}

async fn select(conn: &mut PgConnection, since: OffsetDateTime) -> Result<TokenRules, DbError> {
    let keys = sqlx::query!(
        "SELECT key_id, public_key FROM signing_keys
         ORDER BY status = 'current' DESC, created_at DESC",
    );
    let keys = keys.fetch_all(&mut *conn).await?.into_iter();
    // A key is a session of its own.
    let sessions = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM sessions WHERE revoked_at > $1
           UNION ALL SELECT id FROM api_keys WHERE revoked_at > $1"#,
        since,
    );
    let sessions = sessions.fetch_all(&mut *conn).await?.into_iter();
    let accounts = sqlx::query!(
        "SELECT id, token_generation FROM users WHERE token_generation_at > $1",
        since,
    );
    let accounts = accounts.fetch_all(conn).await?.into_iter();
    Ok(TokenRules {
        keys: keys
            .filter_map(|key| {
                let public_key = key.public_key.try_into().ok()?;
                Some(VerificationKey {
                    key_id: key.key_id,
                    public_key,
                })
            })
            .collect(),
        revoked_sessions: sessions.collect(),
        generations: accounts
            .map(|account| {
                let generation = account.token_generation.unsigned_abs();
                (UserId::from(account.id), generation)
            })
            .collect(),
    })
}
