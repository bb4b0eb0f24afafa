//! One lane: a batch of wishes in, an answer to each out.

use std::collections::HashMap;

use base::Sources;
use db::{Db, DbError};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    batch::{Batch, NO_ANSWER},
    memory::Memory,
    sheet::Terms,
    wish::Wish,
};
use crate::{error::Error, store::holds::Hold};

type Answer = Result<Hold, Error>;

#[derive(Debug)]
pub struct Lane {
    /// Its own session.
    pub session: Db,
    pub terms: Terms,
    pub sources: Sources,
    memory: Mutex<Memory>,
}

impl Lane {
    pub fn new(session: Db, terms: Terms, sources: Sources) -> Self {
        let memory = Mutex::default();
        Self {
            session,
            terms,
            sources,
            memory,
        }
    }

    /// An answer to each wish, in their order. Equal keys with equal bodies are one wish: whoever repeats
    /// it in the same batch hears what the first one hears. With another body it is a wish of its own,
    /// of which one at most comes true.
    pub async fn hold(&self, wishes: Vec<Wish>) -> Vec<Answer> {
        let answers = self.answer(wishes).await;
        count(&answers);
        answers
    }

    async fn answer(&self, wishes: Vec<Wish>) -> Vec<Answer> {
        let mut memory = self.memory.lock().await;
        memory.make_room();
        let mut firsts: Vec<&Wish> = Vec::with_capacity(wishes.len());
        let mut place = HashMap::with_capacity(wishes.len());
        for wish in &wishes {
            place.entry(key(wish)).or_insert_with(|| {
                firsts.push(wish);
                firsts.len() - 1
            });
        }
        let answers = self.answers(&mut memory, &firsts).await;
        let echoes: Vec<Option<Answer>> = wishes
            .iter()
            .map(|wish| {
                let place = place.get(&key(wish))?;
                let (first, answer) = (firsts.get(*place)?, answers.get(*place)?);
                (!std::ptr::eq(*first, wish)).then(|| echo(answer))
            })
            .collect();
        // The rest are the first ones, in their order.
        let mut answers = answers.into_iter();
        let mut own = || answers.next().unwrap_or(Err(NO_ANSWER));
        echoes
            .into_iter()
            .map(|echo| echo.unwrap_or_else(&mut own))
            .collect()
    }

    /// Together; where their statement fails for another reason than the database's state, each alone,
    /// so that one that cannot be stored fails nobody else.
    async fn answers(&self, memory: &mut Memory, wishes: &[&Wish]) -> Vec<Answer> {
        let mut batch = Batch::new(self, memory, wishes);
        let Err(error) = batch.work().await else {
            return batch.answers();
        };
        if batch.left() > 1 && !is_of_the_database(&error) {
            tracing::warn!(%error, wishes = batch.left(), "a batch is made one by one");
            return self
                .one_by_one(batch.answers_so_far(), memory, wishes)
                .await;
        }
        batch.fail(error);
        batch.answers()
    }

    async fn one_by_one(
        &self,
        answers: Vec<Option<Answer>>,
        memory: &mut Memory,
        wishes: &[&Wish],
    ) -> Vec<Answer> {
        let mut all = Vec::with_capacity(wishes.len());
        for (wish, answer) in wishes.iter().zip(answers) {
            all.push(match answer {
                Some(answer) => answer,
                None => {
                    let alone = [*wish];
                    let mut batch = Batch::new(self, memory, &alone);
                    if let Err(error) = batch.work().await {
                        batch.fail(error);
                    }
                    batch.answers().swap_remove(0)
                }
            });
        }
        all
    }
}

/// For whoever watches, a batch at a time.
fn count(answers: &[Answer]) {
    let mut counts = [("made", 0), ("sold_out", 0), ("refused", 0), ("failed", 0)];
    for answer in answers {
        let outcome = match answer {
            Ok(_) => 0,
            Err(Error::SoldOut(_) | Error::HeldByOthers(_)) => 1,
            Err(Error::Db(_) | Error::Fault(_) | Error::Failure(_)) => 3,
            Err(_) => 2,
        };
        counts[outcome].1 += 1;
    }
    for (outcome, count) in counts {
        if count > 0 {
            metrics::counter!("holds_total", "outcome" => outcome).increment(count);
        }
    }
}

/// No wish is to blame: the database was busy, or did not answer.
fn is_of_the_database(error: &Error) -> bool {
    matches!(
        error,
        Error::Db(DbError::Busy | DbError::OutcomeUnknown | DbError::Timeout)
    )
}

fn key(wish: &Wish) -> (Uuid, [u8; 32]) {
    (wish.key_id, wish.body_hash)
}

/// What a copy of a wish hears.
fn echo(answer: &Answer) -> Answer {
    match answer {
        Ok(hold) => Ok(hold.clone()),
        Err(error) => Err(error.again()),
    }
}
