//! Guests who do this and that.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::Context as _;
use uuid::Uuid;

use crate::{
    admin::OnSale,
    buyer::{Buyer, PAYS},
    drive::Guest,
    rng::{Rng, Zipf},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Looks at an event.
    Page,
    /// Holds a ticket and leaves it.
    Hold,
    /// Holds, orders, and pays by card.
    Buy,
    /// Holds, orders, and cancels.
    Cancel,
}

/// What share of a hundred visits each part has.
#[derive(Clone, Copy, Debug)]
pub struct Mix(pub [(Part, u64); 4]);

impl Mix {
    pub fn only(part: Part) -> Self {
        Self([(part, 100), (part, 0), (part, 0), (part, 0)])
    }

    fn pick(&self, rng: &mut Rng) -> Part {
        let mut left = rng.next() % 100;
        for (part, share) in self.0 {
            if left < share {
                return part;
            }
            left -= share;
        }
        self.0[0].0
    }
}

/// Which types guests want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    Zipf,
    Uniform,
}

/// A hold that was granted on the type of this place.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub kind: usize,
    pub hold: Uuid,
    pub at: Instant,
}

pub struct MixedGuest {
    buyer: Buyer,
    types: Arc<Vec<OnSale>>,
    taste: Taste,
    zipf: Zipf,
    mix: Mix,
    rng: Rng,
    pub done: Vec<Done>,
}

impl MixedGuest {
    pub async fn open(
        http: SocketAddr,
        nonce: &str,
        (types, taste, mix): (Arc<Vec<OnSale>>, Taste, Mix),
        number: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            buyer: Buyer::open(http, nonce).await?,
            zipf: Zipf::new(types.len()),
            types,
            taste,
            mix,
            rng: Rng::new(number as u64),
            done: Vec::new(),
        })
    }

    fn kind(&mut self) -> usize {
        match self.taste {
            Taste::Zipf => self.zipf.pick(&mut self.rng),
            Taste::Uniform => self.rng.below(self.types.len()),
        }
    }
}

impl Guest for MixedGuest {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let (part, kind) = (self.mix.pick(&mut self.rng), self.kind());
        let on_sale = self.types[kind].clone();
        if part == Part::Page {
            let path = format!("/api/v1/events/{}", on_sale.event);
            return self.buyer.look(&path).await;
        }
        let hold = self.buyer.hold(&on_sale).await?;
        let at = Instant::now();
        let Some(hold) = hold else {
            return Ok(at);
        };
        let id = hold["id"].as_str().unwrap_or_default().parse();
        let hold_id = id.context("a hold without an id")?;
        self.done.push(Done {
            kind,
            hold: hold_id,
            at,
        });
        if part == Part::Hold {
            return Ok(at);
        }
        let email = format!("guest{number}@example.org");
        let order = self.buyer.order(&hold, &email).await?;
        if part == Part::Buy {
            self.buyer.pay(&order, PAYS).await?;
        } else {
            self.buyer.cancel(&order).await?;
        }
        Ok(Instant::now())
    }
}
