use proto::ticket;
use serde::Serialize;
use utoipa::ToSchema;

/// Stock that several ticket types of one concert draw from: a hall's total, or a limit on some of
/// them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pool {
    pub id: String,
    pub event_id: String,
    #[schema(example = "The whole hall")]
    pub name: String,
    /// Null means unlimited.
    pub capacity: Option<i64>,
    /// In the holds of guests.
    pub held: i64,
    pub sold: i64,
    /// Not sold: the promoter's own.
    pub blocked: i64,
    /// Null means unlimited.
    pub remaining: Option<i64>,
    /// Those that draw from it.
    pub ticket_type_ids: Vec<String>,
    /// Rises with every change; send it back as `If-Match`.
    pub version: i64,
}

impl From<ticket::Pool> for Pool {
    fn from(pool: ticket::Pool) -> Self {
        Self {
            id: pool.id,
            event_id: pool.event_id,
            name: pool.name,
            capacity: pool.capacity,
            held: pool.held,
            sold: pool.sold,
            blocked: pool.blocked,
            remaining: pool.remaining,
            ticket_type_ids: pool.ticket_type_ids,
            version: pool.version,
        }
    }
}
