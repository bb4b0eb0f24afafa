//! Work that many ask for at the same moment is done together: while one batch is being committed the next
//! one gathers (`crates/batch`), so all of it shares a round trip and a flush. Alone it waits for nobody.

use std::sync::Arc;

use batch::{Lanes, Limits, Refused};
use db::{Db, DbError};
use futures::future::BoxFuture;
use kit::Tasks;

use crate::error::Error;

/// `name` is for figures.
fn limits(name: &'static str) -> Limits {
    Limits {
        name,
        batch_max: 256,
        queue_max: 4_096,
        overtake_after: None,
    }
}

/// Closed until it is opened, and once the service ends. Clones share it.
pub(crate) struct Lane<T, R>(Lanes<T, Result<R, Error>>);

impl<T, R> Default for Lane<T, R> {
    fn default() -> Self {
        Self(Lanes::default())
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
    pub fn open<W>(&self, name: &'static str, (tasks, db): (&Tasks, &Db), work: W)
    where
        W: Fn(Db, Arc<[T]>) -> BoxFuture<'static, Result<Vec<R>, Error>> + Send + Sync + 'static,
    {
        let (session, work) = (db.lane_session(), Arc::new(work));
        let shared = session.clone();
        let (batcher, worker) = batch::batcher(limits(name), move |items: Vec<T>| {
            let (session, work) = (shared.clone(), work.clone());
            async move { answers(&session, items, work.as_ref()).await }
        });
        self.0.open(batcher);
        tasks.spawn(async move {
            worker.await;
            session.close().await;
        });
        let lanes = self.0.clone();
        tasks.at_the_end(async move { lanes.close() });
    }

    /// The answer to this item, which goes with whoever else asks now.
    pub async fn submit(&self, item: T) -> Result<R, Error> {
        match self.0.submit(item).await {
            Ok(answer) => answer,
            Err(Refused::Full | Refused::Ended) => Err(DbError::Busy.into()),
            Err(Refused::Lost) => Err(DbError::OutcomeUnknown.into()),
        }
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
