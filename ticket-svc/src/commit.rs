//! Orders of one event that are to be committed at the same moment are committed together, so they share the
//! round trips, the pools' locks and the flush. Only what is plain: the hold is still the order's, and the event
//! takes place. Any other order is decided alone (`rpc/internal/commit_order.rs`), and so are all of a batch
//! that fails. Whoever has the stock of one event locked keeps no other event's orders back.

use std::{collections::HashMap, sync::Arc};

use base::{EventId, OrderId, Sources};
use batch::{Lanes, Limits};
use db::Db;
use kit::Tasks;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        event_status::EventStatus,
        hold_state::{HoldState, HoldStep},
    },
    error::Error,
    signers::Signers,
    store::{
        catalog::{self, Event},
        holds::{self, Hold},
        keys,
        orders::{self, Ticket},
    },
};

const LIMITS: Limits = Limits {
    name: "commits",
    batch_max: 64,
    queue_max: 1_024,
    // Those of one event would wait for its stock all the same.
    overtake_after: None,
};
/// Batches at work at once, of different events, each on a session of its own: so many events less one may be stuck
/// before others wait for them.
const SESSIONS: usize = 3;

#[derive(Clone, Debug)]
pub struct Committed {
    pub event: Event,
    pub tickets: Vec<Ticket>,
}

/// An order, and its event where the caller has said it. It is not believed: it only says who goes together.
type Asked = (OrderId, Option<EventId>);

/// Closed before the service starts it and once it ends. Clones share the queue.
#[derive(Clone, Debug, Default)]
pub struct Commits(Lanes<Asked, Option<Committed>>);

#[derive(Clone)]
struct Batch {
    orders: Vec<OrderId>,
    sources: Sources,
    signers: Signers,
}

impl Commits {
    /// With the service's tasks it takes nothing more, works off what waits, and ends.
    pub fn start(tasks: &Tasks, db: &Db, sources: &Sources, signers: &Signers) -> Self {
        let (sources, signers) = (sources.clone(), signers.clone());
        let sessions: Arc<[Db]> = (0..SESSIONS).map(|_| db.lane_session()).collect();
        let shared = sessions.clone();
        let work = move |place: usize, asked: Vec<Asked>| {
            let batch = Batch {
                orders: asked.into_iter().map(|(order, _)| order).collect(),
                sources: sources.clone(),
                signers: signers.clone(),
            };
            let session = shared[place].clone();
            async move { answers(&session, batch).await }
        };
        let event = |(_, event): &Asked| *event;
        let (orders, worker) = batch::batcher_by_key(LIMITS, SESSIONS, event, work);
        tasks.spawn(async move {
            worker.await;
            for session in sessions.iter() {
                session.close().await;
            }
        });
        let commits = Self::default();
        commits.0.open(orders);
        let lanes = commits.0.clone();
        tasks.at_the_end(async move { lanes.close() });
        commits
    }

    /// None where the order has to be decided alone. It may be committed then all the same.
    pub async fn commit(&self, order: OrderId, event: Option<EventId>) -> Option<Committed> {
        self.0.submit((order, event)).await.ok()?
    }
}

async fn answers(session: &Db, batch: Batch) -> Vec<Option<Committed>> {
    let orders = batch.orders.clone();
    let committed = session.run(batch, |conn, batch| Box::pin(commit_plain(conn, batch)));
    let committed = committed.await.unwrap_or_else(|error| {
        tracing::warn!(%error, orders = orders.len(), "a batch of orders is decided one by one");
        HashMap::new()
    });
    let answer = |order| committed.get(order).cloned();
    orders.iter().map(answer).collect()
}

async fn commit_plain(
    conn: &mut PgConnection,
    batch: &Batch,
) -> Result<HashMap<OrderId, Committed>, Error> {
    let mut found = plain_holds(conn, &batch.orders).await?;
    let events = events(conn, &found, &batch.signers).await?;
    found.retain(|(_, hold)| events.contains_key(&hold.event_id));
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let plain: Vec<(OrderId, &Hold)> = found.iter().map(|(order, hold)| (*order, hold)).collect();
    let makes = (&batch.sources, batch.signers.ring().current_id());
    let mut tickets = orders::commit(conn, makes, &plain).await?;
    let ids: Vec<_> = plain.iter().map(|(_, hold)| hold.id).collect();
    orders::sell(conn, &ids).await?;
    let committed = plain.iter().filter_map(|(order, hold)| {
        let committed = Committed {
            event: events.get(&hold.event_id)?.clone(),
            tickets: tickets.remove(order)?,
        };
        Some((*order, committed))
    });
    Ok(committed.collect())
}

/// The holds that these orders are paying for, locked, of orders without an answer. Whoever is busy with one of them, or with
/// its event, keeps only that one back.
async fn plain_holds(
    conn: &mut PgConnection,
    orders: &[OrderId],
) -> Result<Vec<(OrderId, Hold)>, Error> {
    let orders: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
    let orders = orders::lock_idle(conn, &orders).await?;
    // A statement of its own: it sees what was committed while that one waited.
    let ids = sqlx::query_scalar!(
        r#"
        SELECT h.id FROM holds h
        WHERE h.order_id = ANY($1)
          AND NOT EXISTS (SELECT FROM order_answers a WHERE a.order_id = h.order_id)
        ORDER BY h.id FOR UPDATE OF h SKIP LOCKED
        "#,
        &orders,
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<_> = ids.into_iter().map(Into::into).collect();
    let found = holds::find_all(conn, &ids).await?.into_iter();
    let plain =
        found.filter(|hold| hold.state.after(HoldStep::Commit) == Some(HoldState::Committed));
    Ok(plain
        .filter_map(|hold| Some((hold.order_id?, hold)))
        .collect())
}

/// The events of these holds that take place and whose codes a key signs, kept from being cancelled with
/// an answer before this transaction has ended.
async fn events(
    conn: &mut PgConnection,
    found: &[(OrderId, Hold)],
    signers: &Signers,
) -> Result<HashMap<EventId, Event>, Error> {
    let mut ids: Vec<Uuid> = found.iter().map(|(_, hold)| hold.event_id.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut events = HashMap::with_capacity(ids.len());
    for event in catalog::idle_events_to_the_end(conn, &ids).await? {
        let takes_place = event.status() != EventStatus::Cancelled;
        if takes_place && keys::is_signed(conn, signers, event.id()).await? {
            events.insert(event.id(), event);
        }
    }
    Ok(events)
}
