//! Sends what is due, what somebody waits for first. A row is leased, the mail goes out with no
//! transaction open, the outcome is written back. A crash in between sends the mail again under the
//! same Message-ID. While one mail is being drawn others are on their way, and a place that becomes
//! free is filled at once.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kit::{Tasks, telemetry};
use proto::Peer;
use tokio::sync::Notify;

use super::{
    compose::compose,
    lease::{self, Due, Held, Lease, RENEW_INTERVAL, Wish},
    outcome::Outcome,
    room::{Free, Place, Room, SLOW_AFTER, Waiting},
    settle::{Proof, Settle},
};
use crate::{
    Config,
    app::App,
    error::Error,
    kinds::Kind,
    mailer::{Class, MailError},
};

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// For the answer to a mail that was handed over when the service stops: without it the mail is sent
/// again. Shorter than what is left of its lease, which is renewed no more, and than the hard exit.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Longer than a statement may hang and an outcome waits for its next try.
const AFTER_TROUBLE: Duration = Duration::from_secs(15);

struct Sender {
    app: Arc<App>,
    tasks: Tasks,
    room: Room,
    held: Arc<Held>,
    settle: Settle,
    /// When the database was last seen to be in trouble.
    trouble_at: Mutex<Option<Instant>>,
    /// Wakes the sender when there is work or a place for it.
    wake: Arc<Notify>,
}

pub(super) fn start(tasks: &Tasks, app: Arc<App>, config: &Config) -> anyhow::Result<()> {
    let room = Room::new(
        config.smtp_connections,
        config.mails_per_second,
        app.sources.clone(),
    );
    let sender = Arc::new(Sender {
        tasks: tasks.clone(),
        room,
        held: Arc::default(),
        trouble_at: Mutex::default(),
        settle: Settle::start(tasks, &app.db, &config.handed_over_dir)?,
        wake: app.accepted.clone(),
        app,
    });
    let renewing = sender.clone();
    tasks.job("renew_leases", RENEW_INTERVAL, Arc::default(), move || {
        let sender = renewing.clone();
        async move {
            sender.held.renew(&sender.app).await?;
            sender.settle.adopt();
            Ok(false)
        }
    });
    let ending = sender.clone();
    tasks.spawn(async move {
        ending.tasks.shutdown().begun().await;
        ending.room.empty().await;
        ending.app.mailer.close().await;
    });
    let wake = sender.wake.clone();
    tasks.job("send_notifications", POLL_INTERVAL, wake, move || {
        let sender = sender.clone();
        async move { Ok(round(&sender).await?) }
    });
    Ok(())
}

impl Sender {
    /// While the database was away leases ran out whose mails were accepted: their processes tell it first.
    fn others_may_have_outcomes(&self) -> bool {
        self.trouble_at()
            .is_some_and(|at| at.elapsed() < AFTER_TROUBLE)
    }

    fn trouble_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.trouble_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if there may be more, and a place for it.
async fn round(sender: &Arc<Sender>) -> Result<bool, Error> {
    let outcome = send_what_is_due(sender).await;
    if let Err(Error::Db(_)) = outcome {
        *sender.trouble_at() = Some(Instant::now());
    }
    outcome
}

async fn send_what_is_due(sender: &Arc<Sender>) -> Result<bool, Error> {
    sender.settle.store_what_was_left().await?;
    if let Some(wait) = sender.room.until_paced() {
        // Sleeps: the pace allows none before.
        tokio::time::sleep(wait.min(POLL_INTERVAL)).await;
    }
    let Free {
        rows,
        slow_rows,
        held_back,
    } = sender.room.free();
    let domains = sender.room.slow_domains();
    let taken = take(sender, wish(sender, rows, &domains, false)).await?;
    if !domains.is_empty() {
        let spare = if taken < rows {
            sender.room.to_spare()
        } else {
            0
        };
        take(sender, wish(sender, slow_rows + spare, &domains, true)).await?;
    }
    // What was kept for slow domains and not taken is the others' in the next round.
    Ok(held_back || (rows > 0 && taken == rows))
}

fn wish(sender: &Sender, rows: usize, domains: &[String], slow: bool) -> Wish {
    Wish {
        rows: i64::try_from(rows).unwrap_or(i64::MAX),
        domains: domains.to_vec(),
        only: slow,
        queued_only: sender.others_may_have_outcomes(),
        held: sender.held.ids(),
    }
}

/// How many were found and are on their way.
async fn take(sender: &Arc<Sender>, wish: Wish) -> Result<usize, Error> {
    if wish.rows == 0 {
        return Ok(0);
    }
    let slow = wish.only;
    let due = lease::lease(&sender.app, wish).await?;
    let taken = due.len();
    sender.room.spend(taken);
    for row in due {
        let lease = sender.held.take(&row);
        let room = &sender.room;
        let place = if slow {
            room.slow_place().or_else(|| room.free_place())
        } else {
            None
        };
        let turn = place.map_or_else(|| Turn::Waits(room.wait()), Turn::Has);
        sender
            .tasks
            .spawn(traced(sender.clone(), row, (lease, turn)));
    }
    Ok(taken)
}

/// What a mail in hand has, and gives back when it ends, however it ends.
type Taken = (Lease, Turn);

enum Turn {
    Has(Place),
    Waits(Option<Waiting>),
}

async fn traced(sender: Arc<Sender>, row: Due, taken: Taken) {
    let traceparent = row.traceparent.clone();
    let name = Kind::from_word(&row.kind).map_or("send notice", Kind::span);
    let (member, deliver) = (Peer::Notify.name(), deliver(&sender, &row, taken));
    kit::resume(
        telemetry::Kind::Client,
        member,
        name,
        traceparent.as_deref(),
        deliver,
    )
    .await;
    sender.wake.notify_one();
}

async fn deliver(sender: &Sender, row: &Due, (_lease, turn): Taken) {
    kit::failpoint!("notify.leased");
    let mail = match compose(&sender.app, row).await {
        Ok(Some(mail)) => mail,
        Ok(None) => return sender.settle.store(row, Outcome::stale(row), None).await,
        Err(error) => return sender.settle.store(row, unsent(row, &error), None).await,
    };
    let mut place = match turn_came(sender, row, turn).await {
        Ok(place) => place,
        Err(put_back) => return sender.settle.store(row, put_back, None).await,
    };
    let begun = Instant::now();
    let (sent, proof) = watched(sender, row, send(sender, row, &mail), &mut place).await;
    let outcome = judge(sender, row, sent, begun.elapsed());
    // The line is free; how long the database takes is not its matter.
    drop(place);
    kit::failpoint!("notify.noted");
    sender.settle.store(row, outcome, proof).await;
}

/// Waits for a place. While it does, the mail may have to be put back.
async fn turn_came(sender: &Sender, row: &Due, turn: Turn) -> Result<Place, Outcome> {
    let waiting = match turn {
        Turn::Has(place) => return Ok(place),
        Turn::Waits(waiting) => waiting,
    };
    let place = tokio::select! {
        biased;
        () = sender.tasks.shutdown().begun() => return Err(judge(sender, row, Sent::Kept, Duration::ZERO)),
        place = sender.room.place(&row.recipient_domain) => place,
    };
    // Another may be made ready in its stead.
    drop(waiting);
    sender.wake.notify_one();
    place.map_err(|wait| {
        let why = "the mail server, or that of the domain, did not answer when the mail was ready";
        Outcome::put_back(row, MailError::new(Class::Server, &why), wait)
    })
}

/// It could not be made into a mail. The database may have been away; anything else would come again.
fn unsent(row: &Due, error: &Error) -> Outcome {
    let failure = MailError::content(error);
    match error {
        Error::Db(_) => Outcome::put_back(row, failure, POLL_INTERVAL),
        _ => Outcome::failed(row, failure),
    }
}

/// With the proof of a mail that was accepted.
async fn send(sender: &Sender, row: &Due, mail: &lettre::Message) -> (Sent, Option<Proof>) {
    let (mailer, shutdown) = (&sender.app.mailer, sender.tasks.shutdown());
    let prepared = async {
        let ready = mailer.prepare(row.id, mail).await?;
        Ok((ready, sender.settle.enter_doubt().await))
    };
    let prepared = tokio::select! {
        // First the shutdown: a mail whose answer may not be heard any more is not handed over.
        biased;
        () = shutdown.begun() => return (Sent::Kept, None),
        prepared = prepared => prepared,
    };
    let (ready, doubt) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return (Sent::Told(Err(refusal)), None),
    };
    let stopped = async {
        shutdown.begun().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        biased;
        outcome = mailer.hand_over(ready) => {
            doubt.answered();
            kit::failpoint!("notify.sent");
            let proof = match &outcome {
                Ok(()) => Some(sender.settle.accepted(row, doubt)),
                Err(_) => None,
            };
            (Sent::Told(outcome), proof)
        }
        () = stopped => (Sent::Stopped, None),
    }
}

/// A mail that takes long gives its place to the others and goes on in one of the slow ones.
async fn watched(
    sender: &Sender,
    row: &Due,
    sending: impl Future<Output = (Sent, Option<Proof>)>,
    place: &mut Place,
) -> (Sent, Option<Proof>) {
    let slow = tokio::time::sleep(SLOW_AFTER);
    tokio::pin!(sending, slow);
    let mut quick = true;
    loop {
        tokio::select! {
            outcome = &mut sending => return outcome,
            () = &mut slow, if quick => {
                quick = false;
                sender.room.took(&row.recipient_domain, SLOW_AFTER);
                if let Some(slow_place) = sender.room.slow_place() {
                    *place = slow_place;
                    sender.wake.notify_one();
                }
            }
        }
    }
}

enum Sent {
    Told(Result<(), MailError>),
    /// The service ends, and the mail was not handed over.
    Kept,
    /// The service ends, and the mail server has not answered.
    Stopped,
}

fn judge(sender: &Sender, row: &Due, sent: Sent, took: Duration) -> Outcome {
    let (word, outcome) = match sent {
        Sent::Told(Ok(())) => {
            sender.room.server_is_there();
            sender.room.took(&row.recipient_domain, took);
            ("sent", Outcome::sent(row))
        }
        Sent::Told(Err(failure)) if failure.class == Class::Server => {
            warn(row, &failure, "the mail server does not serve");
            let wait = sender.room.server_failed();
            ("server", Outcome::put_back(row, failure, wait))
        }
        Sent::Told(Err(failure)) => {
            // It was reached, so it is not the server that is in trouble.
            sender.room.server_is_there();
            sender.room.took(&row.recipient_domain, took);
            warn(row, &failure, "mail not accepted");
            (failure.class.word(), Outcome::failed(row, failure))
        }
        Sent::Kept => {
            let why = "the service stopped before the mail was handed over";
            let failure = MailError::new(Class::Server, &why);
            ("stopped", Outcome::put_back(row, failure, POLL_INTERVAL))
        }
        Sent::Stopped => {
            let why = "the service stopped before the mail server answered";
            let failure = MailError::new(Class::Unknown, &why);
            ("stopped", Outcome::put_back(row, failure, POLL_INTERVAL))
        }
    };
    let labels = [("kind", row.kind.clone()), ("outcome", word.to_owned())];
    metrics::counter!("mails_total", &labels).increment(1);
    metrics::histogram!("mail_send_seconds", "outcome" => word).record(took.as_secs_f64());
    outcome
}

/// Without the server's words, which quote addresses; the row has them.
fn warn(row: &Due, failure: &MailError, what: &str) {
    tracing::warn!(
        notification_id = %row.id,
        kind = row.kind,
        class = failure.class.word(),
        code = failure.reply_code,
        "{what}"
    );
}
