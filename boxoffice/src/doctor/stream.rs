//! The rows of one database in the order of their ids, a batch at a time.

use std::collections::VecDeque;

use sqlx::{FromRow, PgConnection, postgres::PgRow};
use uuid::Uuid;

const BATCH_ROWS: i64 = 1_000;

pub(super) trait Row: for<'r> FromRow<'r, PgRow> + Send + Unpin {
    fn id(&self) -> Uuid;
}

/// The rows of one database, by id. No more than a batch is in memory.
pub(super) struct Stream<'s, T> {
    session: &'s mut PgConnection,
    query: &'static str,
    settle_secs: f64,
    batch: VecDeque<T>,
    after: Uuid,
    ended: bool,
}

impl<'s, T: Row> Stream<'s, T> {
    pub fn new(session: &'s mut PgConnection, query: &'static str, settle_secs: f64) -> Self {
        Self {
            session,
            query,
            settle_secs,
            batch: VecDeque::new(),
            after: Uuid::nil(),
            ended: false,
        }
    }

    /// The id that comes next; `None` at the end.
    pub async fn head(&mut self) -> Result<Option<Uuid>, sqlx::Error> {
        if self.batch.is_empty() && !self.ended {
            let query = sqlx::query_as(self.query).bind(self.settle_secs);
            let rows: Vec<T> = query
                .bind(self.after)
                .bind(BATCH_ROWS)
                .fetch_all(&mut *self.session)
                .await?;
            match rows.last() {
                Some(last) => self.after = last.id(),
                None => self.ended = true,
            }
            self.batch = rows.into();
        }
        Ok(self.batch.front().map(Row::id))
    }

    /// The row of this id, if it is the next one.
    pub fn take(&mut self, id: Uuid) -> Option<T> {
        self.batch.pop_front_if(|row| row.id() == id)
    }
}
