use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{Connection as _, postgres::PgConnection};
use tokio::sync::Mutex;

use crate::Db;

impl Db {
    /// A question to repeat: does the database answer? It is asked on a session of its own, because a pool whose
    /// sessions are all at work says nothing against the database.
    pub fn answers(
        &self,
    ) -> impl Fn() -> BoxFuture<'static, sqlx::Result<()>> + Send + Sync + 'static {
        let options = self.connect_options();
        let kept: Arc<Mutex<Option<PgConnection>>> = Arc::default();
        move || {
            let (options, kept) = (options.clone(), kept.clone());
            Box::pin(async move {
                let mut kept = kept.lock().await;
                // Taken out: if nobody waits for the answer any more, the session is dropped with the question.
                let mut session = match kept.take() {
                    Some(session) => session,
                    None => PgConnection::connect_with(&options).await?,
                };
                session.ping().await?;
                *kept = Some(session);
                Ok(())
            })
        }
    }
}
