//! Guests who want one ticket of one type, and what they were told.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use uuid::Uuid;

use crate::{
    admin::OnSale,
    drive::Guest,
    guest::{field, uuid_field},
    rng::Rng,
    wire::{self, Answer, Connection},
};

/// Digits of a visit's number in its key.
const DIGITS: usize = 12;

/// A guest for whom there was no room comes again after this long.
const NO_ROOM: Duration = Duration::from_millis(100);

/// What was answered to whom; the audit compares it with what is stored.
#[derive(Debug, Default)]
pub struct History {
    /// Every acknowledged hold, and when its answer came.
    pub granted: Vec<(Uuid, Instant)>,
    /// By reason.
    pub refused: BTreeMap<String, u64>,
    /// No answer, or one that leaves open what happened.
    pub unknown: u64,
    /// Repeated with the same key and answered with the same hold.
    pub repeated: u64,
    /// Answers that must not be.
    pub wrong: Vec<String>,
}

impl History {
    pub fn merge(histories: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for one in histories {
            all.granted.extend(one.granted);
            for (reason, count) in one.refused {
                *all.refused.entry(reason).or_default() += count;
            }
            all.unknown += one.unknown;
            all.repeated += one.repeated;
            all.wrong.extend(one.wrong);
        }
        all
    }

    pub fn last_grant(&self) -> Option<Instant> {
        self.granted.iter().map(|(_, at)| *at).max()
    }

    pub fn sold_out(&self) -> u64 {
        let words = ["SOLD_OUT", "HELD_BY_OTHERS"];
        words
            .iter()
            .filter_map(|word| self.refused.get(*word))
            .sum()
    }

    fn refuse(&mut self, reason: &str) {
        match self.refused.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(self.refused.insert(reason.to_owned(), 1)),
        }
    }
}

/// Who asks for what, and how.
#[derive(Clone, Debug)]
pub struct Wish {
    pub doors: Vec<SocketAddr>,
    pub on_sale: OnSale,
    /// Makes keys that no other loop has.
    pub nonce: String,
    /// So many of a hundred ask again with the same key.
    pub repeat_per_cent: u64,
}

impl Wish {
    /// So many guests, over the doors in turn.
    pub async fn guests(&self, count: usize) -> anyhow::Result<Vec<HoldGuest>> {
        let mut guests = Vec::new();
        for number in 0..count {
            let door = self.doors[number % self.doors.len()];
            guests.push(HoldGuest::new(self, door, number).await?);
        }
        Ok(guests)
    }
}

/// One guest's connection.
#[derive(Debug)]
pub struct HoldGuest {
    connection: Connection,
    doors: Vec<SocketAddr>,
    request: Vec<u8>,
    key_at: usize,
    rng: Rng,
    repeat_per_cent: u64,
    /// What is behind this door did not answer.
    unwell: bool,
    /// There was no room.
    crowded: bool,
    pub history: History,
}

impl HoldGuest {
    async fn new(wish: &Wish, door: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let OnSale { event, kind, .. } = &wish.on_sale;
        let body = format!(
            r#"{{"event_id":"{event}","lines":[{{"ticket_type_id":"{kind}","quantity":1}}]}}"#
        );
        let zeros = "0".repeat(DIGITS);
        let key = format!("{}-{zeros}", wish.nonce);
        let headers = [("idempotency-key", key.as_str())];
        let request = wire::post("bench", "/api/v1/holds", &headers, &body);
        let find = request
            .windows(key.len())
            .position(|at| at == key.as_bytes());
        let key_at = find.context("a request with its key")? + key.len() - DIGITS;
        Ok(Self {
            connection: Connection::open(door).await?,
            doors: wish.doors.clone(),
            request,
            key_at,
            rng: Rng::new(number as u64),
            repeat_per_cent: wish.repeat_per_cent,
            unwell: false,
            crowded: false,
            history: History::default(),
        })
    }

    /// Keys of another name, as long as the one before.
    pub fn rename(&mut self, nonce: &str) -> anyhow::Result<()> {
        let end = self.key_at - 1;
        let begin = end.checked_sub(nonce.len()).context("a name that fits")?;
        self.request[begin..end].copy_from_slice(nonce.as_bytes());
        Ok(())
    }

    fn set_key(&mut self, mut number: u64) {
        for digit in self.request[self.key_at..self.key_at + DIGITS]
            .iter_mut()
            .rev()
        {
            // Below ten.
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }

    /// Writes down what an answer says. The hold, if there is one.
    fn note(&mut self, answer: Answer) -> Option<Uuid> {
        let body = self.connection.body(answer);
        match answer.status {
            201 => {
                let hold = uuid_field(body, "id");
                if hold.is_none() {
                    self.history.wrong.push("a hold without an id".to_owned());
                }
                return hold;
            }
            409 | 429 => {
                let reason = field(body, "reason").unwrap_or("?").to_owned();
                self.history.refuse(&reason);
            }
            503 if field(body, "reason") == Some("OVERLOADED") => {
                self.history.refuse("OVERLOADED");
                self.crowded = true;
            }
            status if status >= 500 => {
                self.history.unknown += 1;
                self.unwell = true;
            }
            status => {
                let said = String::from_utf8_lossy(body).into_owned();
                self.history.wrong.push(format!("{status}: {said}"));
            }
        }
        None
    }

    /// To another door: the one of before may be gone for good.
    async fn move_on(&mut self) -> anyhow::Result<()> {
        self.unwell = false;
        for _ in 0..self.doors.len() * 4 {
            let door = self.doors[self.rng.below(self.doors.len())];
            if let Ok(connection) = Connection::open(door).await {
                self.connection = connection;
                return Ok(());
            }
        }
        anyhow::bail!("no door is open any more")
    }

    async fn repeat(&mut self, first: Uuid) -> anyhow::Result<()> {
        let Ok(answer) = self.connection.ask(&self.request).await else {
            return self.move_on().await;
        };
        if answer.status >= 500 {
            return Ok(());
        }
        let again = uuid_field(self.connection.body(answer), "id");
        if answer.status == 201 && again == Some(first) {
            self.history.repeated += 1;
        } else {
            let said = format!("{first} repeated: {} {again:?}", answer.status);
            self.history.wrong.push(said);
        }
        Ok(())
    }
}

impl Guest for HoldGuest {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        ensure!(self.history.wrong.len() < 20, "{:?}", self.history.wrong);
        self.set_key(number);
        let Ok(answer) = self.connection.ask(&self.request).await else {
            self.history.unknown += 1;
            self.move_on().await?;
            return Ok(Instant::now());
        };
        let at = Instant::now();
        if let Some(hold) = self.note(answer) {
            self.history.granted.push((hold, at));
            if self.rng.per_cent(self.repeat_per_cent) {
                self.repeat(hold).await?;
            }
        }
        if self.unwell {
            self.move_on().await?;
        }
        if std::mem::take(&mut self.crowded) {
            // Sleeps: the answer asked for it.
            tokio::time::sleep(NO_ROOM).await;
        }
        Ok(at)
    }
}
