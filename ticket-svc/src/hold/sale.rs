//! What is on sale, kept in memory. Nothing is sold on its word: each pool comes with its generation,
//! and the statement that makes holds compares it on the locked row.

use std::collections::HashMap;

use base::{EventId, PoolId, TicketTypeId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::Error,
    store::catalog::{self, Event, TicketType},
};

/// One event with what is sold of it.
#[derive(Clone, Debug)]
pub struct Sale {
    pub event: Event,
    offers: HashMap<TicketTypeId, Offer>,
    /// Every pool that its types draw from, with the generation that this picture shows.
    pub generations: HashMap<PoolId, i64>,
}

/// A ticket type and every pool that one ticket of it takes a unit from.
#[derive(Clone, Debug)]
pub struct Offer {
    pub ticket_type: TicketType,
    pub pools: Vec<PoolId>,
}

impl Sale {
    /// One whose pools were never changed.
    #[cfg(test)]
    pub fn of(event: Event, offers: impl IntoIterator<Item = Offer>) -> Self {
        let offers = offers.into_iter();
        let offers: HashMap<_, _> = offers.map(|o| (o.ticket_type.id(), o)).collect();
        let pools = offers.values().flat_map(|offer| &offer.pools);
        Self {
            event,
            generations: pools.map(|id| (*id, 1)).collect(),
            offers,
        }
    }

    pub fn offer(&self, id: TicketTypeId) -> Option<&Offer> {
        self.offers.get(&id)
    }
}

struct Draw {
    ticket_type_id: TicketTypeId,
    pool_id: PoolId,
    generation: i64,
}

/// The sales of these events; absent ones are left out.
pub async fn load(conn: &mut PgConnection, events: &[Uuid]) -> Result<Vec<Sale>, Error> {
    // The generations come first: what changes between the statements makes the picture outdated,
    // and never the other way round.
    let draws = draws(conn, events).await?;
    let types = catalog::ticket_types(conn, events).await?;
    let events = catalog::events(conn, events).await?;
    let sales = events.into_iter().map(|event| sale(event, &types, &draws));
    Ok(sales.collect())
}

async fn draws(
    conn: &mut PgConnection,
    events: &[Uuid],
) -> Result<HashMap<EventId, Vec<Draw>>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT t.event_id, t.id AS ticket_type_id, p.id AS pool_id, p.generation
        FROM ticket_types t
        JOIN ticket_type_draws d ON d.ticket_type_id = t.id
        JOIN pools p ON p.id = d.pool_id
        WHERE t.event_id = ANY($1)
        ORDER BY p.id
        "#,
        events,
    )
    .fetch_all(conn)
    .await?;
    let mut draws: HashMap<EventId, Vec<Draw>> = HashMap::new();
    for row in rows {
        draws.entry(row.event_id.into()).or_default().push(Draw {
            ticket_type_id: row.ticket_type_id.into(),
            pool_id: row.pool_id.into(),
            generation: row.generation,
        });
    }
    Ok(draws)
}

fn sale(event: Event, types: &[TicketType], draws: &HashMap<EventId, Vec<Draw>>) -> Sale {
    let draws = draws.get(&event.id()).map_or(&[][..], Vec::as_slice);
    let own = types.iter().filter(|own| own.event_id == event.id);
    let offers = own.filter_map(|ticket_type| {
        let of_type = draws
            .iter()
            .filter(|draw| draw.ticket_type_id == ticket_type.id());
        let pools: Vec<PoolId> = of_type.map(|draw| draw.pool_id).collect();
        // A type without a pool was made between the statements: the picture is outdated already.
        let offer = Offer {
            ticket_type: ticket_type.clone(),
            pools,
        };
        (!offer.pools.is_empty()).then(|| (ticket_type.id(), offer))
    });
    let offers = offers.collect();
    let generations = draws.iter().map(|draw| (draw.pool_id, draw.generation));
    Sale {
        event,
        offers,
        generations: generations.collect(),
    }
}
