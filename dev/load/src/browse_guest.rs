//! Guests who look around: the programme now and then, events mostly, and some have seen the page before.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use anyhow::ensure;

use crate::{
    drive::Guest,
    rng::Rng,
    wire::{self, Connection},
};

/// One look in five is at the programme.
const LIST_PER_CENT: u64 = 20;

/// What there is to look at.
#[derive(Debug)]
pub struct Programme {
    /// Ids.
    pub events: Vec<String>,
}

#[derive(Debug)]
pub struct BrowseGuest {
    connection: Connection,
    programme: Arc<Programme>,
    rng: Rng,
    conditional_per_cent: u64,
    /// By place; the programme is the last one.
    seen: HashMap<usize, String>,
}

impl BrowseGuest {
    pub async fn many(
        addr: SocketAddr,
        programme: Arc<Programme>,
        conditional_per_cent: u64,
        count: usize,
    ) -> anyhow::Result<Vec<Self>> {
        let mut guests = Vec::new();
        for number in 0..count {
            guests.push(Self {
                connection: Connection::open(addr).await?,
                programme: programme.clone(),
                rng: Rng::new(number as u64),
                conditional_per_cent,
                seen: HashMap::new(),
            });
        }
        Ok(guests)
    }

    fn place(&mut self) -> usize {
        let events = self.programme.events.len();
        if self.conditional_per_cent == 100 {
            // Who has seen everything has seen little: tags are known after a moment.
            self.rng.below(4.min(events))
        } else if self.rng.per_cent(LIST_PER_CENT) {
            events
        } else {
            self.rng.below(events)
        }
    }
}

impl Guest for BrowseGuest {
    async fn visit(&mut self, _: u64) -> anyhow::Result<Instant> {
        let place = self.place();
        let path = match self.programme.events.get(place) {
            Some(event) => format!("/api/v1/events/{event}"),
            None => "/api/v1/events".to_owned(),
        };
        let conditional = self.rng.per_cent(self.conditional_per_cent);
        let known = self.seen.get(&place).filter(|_| conditional);
        let request = match known {
            Some(tag) => wire::get("bench", &path, &[("if-none-match", tag)]),
            None => wire::get("bench", &path, &[]),
        };
        let answer = self.connection.ask(&request).await?;
        let at = Instant::now();
        ensure!(
            answer.status == 200 || (answer.status == 304 && known.is_some()),
            "{path} answered {}: {}",
            answer.status,
            String::from_utf8_lossy(self.connection.body(answer))
        );
        if answer.status == 200
            && conditional
            && let Some(tag) = wire::header(self.connection.head(answer), "etag")
        {
            self.seen.insert(place, tag.to_owned());
        }
        Ok(at)
    }
}
