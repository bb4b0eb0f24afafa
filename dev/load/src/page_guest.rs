//! Guests who look at pages.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::ensure;

use crate::{drive::Guest, wire::Connection};

/// Goes through a list of requests, from a place of its own.
#[derive(Debug)]
pub struct PageGuest {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    pub not_modified: u64,
}

/// So many guests with the same list.
pub async fn guests(
    addr: SocketAddr,
    requests: Vec<Vec<u8>>,
    count: usize,
) -> anyhow::Result<Vec<PageGuest>> {
    let requests = Arc::new(requests);
    let mut guests = Vec::new();
    for _ in 0..count {
        guests.push(PageGuest {
            connection: Connection::open(addr).await?,
            requests: requests.clone(),
            not_modified: 0,
        });
    }
    Ok(guests)
}

impl Guest for PageGuest {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let place = usize::try_from(number).unwrap_or(0) % self.requests.len();
        let answer = self.connection.ask(&self.requests[place]).await?;
        let at = Instant::now();
        match answer.status {
            200 => {}
            304 => self.not_modified += 1,
            status => {
                let said = String::from_utf8_lossy(self.connection.body(answer));
                ensure!(false, "a page answered {status}: {said}");
            }
        }
        Ok(at)
    }
}
