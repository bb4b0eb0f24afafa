//! Many orders at once, made by guests over HTTP.

use std::{sync::Arc, time::Instant};

use anyhow::Context as _;

use crate::{
    admin::OnSale,
    bench::Bench,
    buyer::{Buyer, Order, PAYS},
    drive::{self, Guest, Until},
    mesh::BoxOffice,
};

const GUESTS: usize = 32;

/// Makes orders for one type.
struct Maker {
    buyer: Buyer,
    on_sale: Arc<OnSale>,
    pays: bool,
    made: Vec<Order>,
}

impl Guest for Maker {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let hold = self.buyer.hold(&self.on_sale).await?;
        let hold = hold.context("there is stock for every order")?;
        let email = format!("guest{number}@example.org");
        let order = self.buyer.order(&hold, &email).await?;
        if self.pays {
            self.buyer.pay(&order, PAYS).await?;
        }
        self.made.push(order);
        Ok(Instant::now())
    }
}

/// So many orders, paid by card or left to be paid.
pub async fn make(
    bench: &Bench,
    office: &BoxOffice,
    on_sale: &OnSale,
    (count, pays): (u64, bool),
) -> anyhow::Result<Vec<Order>> {
    let on_sale = Arc::new(on_sale.clone());
    let mut guests = Vec::new();
    for _ in 0..GUESTS {
        guests.push(Maker {
            buyer: Buyer::open(office.http, &bench.nonce()).await?,
            on_sale: on_sale.clone(),
            pays,
            made: Vec::new(),
        });
    }
    let ran = drive::closed(guests, Until::visits(count)).await?;
    Ok(ran
        .guests
        .into_iter()
        .flat_map(|guest| guest.made)
        .collect())
}
