//! From the mail server's answer to the row of the database: noted at once, stored a little later, and by whoever starts
//! next if this process does not come to it.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use db::{Db, DbError};
use futures::future::join_all;
use kit::Tasks;

use super::{
    doubt::{Doubt, InDoubt},
    handed_over::{Accepted, HandedOver, Note},
    lease::Due,
    outcome::{Outcome, Record, Stored},
};
use crate::error::Error;

/// An outcome is tried to be stored until it is, but not for longer than this once the service stops: with the
/// time that a mail server has for its answer then, shorter than the hard exit.
const STORE_TIMEOUT: Duration = Duration::from_secs(8);
const STORE_DELAY: Duration = Duration::from_secs(1);
/// Until the next try with an outcome that the database refuses.
const REFUSED_DELAY: Duration = Duration::from_secs(60);

pub(super) struct Settle {
    tasks: Tasks,
    folder: PathBuf,
    doubt: Arc<Doubt>,
    handed_over: Arc<HandedOver>,
    /// What an earlier process had not stored.
    left: Mutex<Vec<Note>>,
    record: Record,
}

/// What stands for a mail that was accepted until its outcome is stored.
pub(super) enum Proof {
    Note(Note),
    /// There is no note, so nobody else's mail is handed over meanwhile.
    Doubt {
        _doubt: InDoubt,
    },
}

impl Settle {
    pub fn start(tasks: &Tasks, db: &Db, folder: &Path) -> anyhow::Result<Self> {
        let (handed_over, mut left) = HandedOver::open(folder)?;
        left.extend(handed_over.adopt(folder)?);
        Ok(Self {
            tasks: tasks.clone(),
            folder: folder.to_owned(),
            doubt: Arc::default(),
            handed_over,
            left: Mutex::new(left),
            record: Record::start(tasks, db),
        })
    }

    /// From now on the mail is in doubt.
    pub async fn enter_doubt(&self) -> InDoubt {
        self.doubt.enter().await
    }

    /// The mail server has it.
    pub fn accepted(&self, row: &Due, doubt: InDoubt) -> Proof {
        let (id, attempts) = (row.id, row.attempts);
        match self.handed_over.note(Accepted { id, attempts }) {
            Ok(note) => Proof::Note(note),
            Err(error) => {
                tracing::warn!(notification_id = %id, %error, "a mail that was accepted is not noted");
                Proof::Doubt { _doubt: doubt }
            }
        }
    }

    /// What a process beside this one had noted and is not there to store.
    pub fn adopt(&self) {
        match self.handed_over.adopt(&self.folder) {
            Ok(adopted) => self.left().extend(adopted),
            Err(error) => tracing::warn!(%error, "notes of others are not readable"),
        }
    }

    /// Before anything is sent again.
    pub async fn store_what_was_left(&self) -> Result<(), Error> {
        let left = std::mem::take(&mut *self.left());
        let stored = left.into_iter().map(|note| async move {
            match self.record.store(Outcome::accepted(note.accepted)).await {
                Stored::As(_) | Stored::Late => note.stored(),
                Stored::Refused => {
                    tracing::error!(notification_id = %note.accepted.id, "the database refuses that a mail was sent");
                    note.stored();
                }
                Stored::Away => {
                    self.left().push(note);
                    return Err(Error::Db(DbError::Busy));
                }
            }
            Ok(())
        });
        join_all(stored).await.into_iter().collect()
    }

    pub async fn store(&self, row: &Due, outcome: Outcome, proof: Option<Proof>) {
        let given_up = async {
            self.tasks.shutdown().begun().await;
            tokio::time::sleep(STORE_TIMEOUT).await;
        };
        let notification_id = row.id;
        let stored = tokio::select! {
            stored = self.stored(row, outcome) => stored,
            () = given_up => {
                tracing::error!(%notification_id, "outcome not stored; the next start stores it if the mail was accepted");
                return;
            }
        };
        if let Some(Proof::Note(note)) = proof {
            note.stored();
        }
        match stored.as_deref() {
            Some("failed") => tracing::error!(%notification_id, "mail cannot be sent"),
            Some(_) => {}
            None => tracing::warn!(%notification_id, "the lease was lost, its next holder decides"),
        }
    }

    /// The status that the row has then; None where the lease was lost. Until then the lease is renewed.
    async fn stored(&self, row: &Due, outcome: Outcome) -> Option<String> {
        let mut unwritten = None;
        loop {
            match self.record.store(outcome.clone()).await {
                Stored::As(status) => return Some(status),
                Stored::Late => return None,
                Stored::Away => {
                    unwritten.get_or_insert_with(|| self.doubt.unwritten());
                    tokio::time::sleep(STORE_DELAY).await;
                }
                Stored::Refused => {
                    // One mail keeps no other back, and is not sent again.
                    unwritten = None;
                    tracing::error!(notification_id = %row.id, "the database refuses the outcome of a mail");
                    tokio::time::sleep(REFUSED_DELAY).await;
                }
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, Vec<Note>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
