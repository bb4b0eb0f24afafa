//! Work that many ask for at the same moment is done together: while one batch is being committed the next
//! one gathers (`crates/batch`), so all of it shares a round trip and a flush. Alone it waits for nobody.

use std::sync::{Arc, RwLock};

use batch::{Batcher, Limits, Refused};
use db::{Db, DbError};
use futures::future::BoxFuture;
use kit::Tasks;

use crate::error::Error;

const LIMITS: Limits = Limits {
    batch_max: 256,
    queue_max: 4_096,
    overtake_after: None,
};

/// Closed until it is opened, and once the service ends. Clones share it.
pub(crate) struct Lane<T, R>(Arc<RwLock<Option<Queue<T, R>>>>);

type Queue<T, R> = Batcher<T, Result<R, Error>>;

impl<T, R> Default for Lane<T, R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T, R> Clone for Lane<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, R> Lane<T, R>
where
    T: Clone + Send + Sync + 'static,
    R: Send + 'static,
{
    /// From now on to the end of the service. `work` answers each item of a batch, in their order, on a
    /// session that is the lane's own; where it fails for all, each is tried alone.
    pub fn open<W>(&self, tasks: &Tasks, db: &Db, work: W)
    where
        W: Fn(Db, Arc<[T]>) -> BoxFuture<'static, Result<Vec<R>, Error>> + Send + Sync + 'static,
    {
        let (session, work) = (db.kept_session(&[]), Arc::new(work));
        let shared = session.clone();
        let (batcher, worker) = batch::batcher(LIMITS, move |items: Vec<T>| {
            let (session, work) = (shared.clone(), work.clone());
            async move { answers(&session, items, work.as_ref()).await }
        });
        self.set(Some(batcher));
        tasks.spawn(async move {
            worker.await;
            session.close().await;
        });
        let (lane, shutdown) = (self.clone(), tasks.shutdown().clone());
        tasks.spawn(async move {
            shutdown.begun().await;
            lane.set(None);
        });
    }

    /// The answer to this item, which goes with whoever else asks now.
    pub async fn submit(&self, item: T) -> Result<R, Error> {
        let batcher = self.read().ok_or(Error::Db(DbError::Busy))?;
        match batcher.submit(item).await {
            Ok(answer) => answer,
            Err(Refused::Full | Refused::Ended) => Err(DbError::Busy.into()),
            Err(Refused::Lost) => Err(DbError::OutcomeUnknown.into()),
        }
    }

    fn read(&self) -> Option<Queue<T, R>> {
        let open = self.0.read().unwrap_or_else(|broken| broken.into_inner());
        open.clone()
    }

    fn set(&self, to: Option<Queue<T, R>>) {
        *self.0.write().unwrap_or_else(|broken| broken.into_inner()) = to;
    }
}

async fn answers<T, R, W>(session: &Db, items: Vec<T>, work: &W) -> Vec<Result<R, Error>>
where
    T: Clone,
    W: Fn(Db, Arc<[T]>) -> BoxFuture<'static, Result<Vec<R>, Error>>,
{
    let error = match work(session.clone(), items.as_slice().into()).await {
        Ok(answers) => return answers.into_iter().map(Ok).collect(),
        Err(error) if items.len() == 1 => return vec![Err(error)],
        Err(error) => error,
    };
    if let Some(of_all) = of_the_database(&error) {
        return items.iter().map(|_| Err(of_all().into())).collect();
    }
    tracing::warn!(%error, items = items.len(), "a batch is worked off one by one");
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let alone = work(session.clone(), [item].into()).await;
        answers.push(alone.and_then(|mut one| one.pop().ok_or(NO_ANSWER)));
    }
    answers
}

const NO_ANSWER: Error = Error::Broken("a lane gave no answer");

/// No item is to blame: the database was busy, or did not answer.
fn of_the_database(error: &Error) -> Option<fn() -> DbError> {
    match error {
        Error::Db(DbError::Busy) => Some(|| DbError::Busy),
        Error::Db(DbError::OutcomeUnknown) => Some(|| DbError::OutcomeUnknown),
        Error::Db(DbError::Timeout) => Some(|| DbError::Timeout),
        _ => None,
    }
}
