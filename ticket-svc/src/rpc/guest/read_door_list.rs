//! What a scanner needs to judge an event's codes without a network. Open to all: public keys, and dead
//! codes under names that only whoever has such a code can work out.

use base::{EventId, TicketId};
use proto::ticket::{DeadCode, DoorKey, ReadDoorListRequest, ReadDoorListResponse, Verdict};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::{
        key_state::KeyState,
        limits::{DEAD_CODES_DEFAULT, DEAD_CODES_MAX},
    },
    error::Error,
    rpc::fields::Fields,
    store::keys::{self, EventKey},
};

#[derive(Clone, Copy, Debug)]
struct Reader {
    event: EventId,
    after: i64,
    limit: u32,
}

struct List {
    keys: Vec<EventKey>,
    dead: Vec<(i64, DeadCode)>,
}

pub async fn read_door_list(
    app: &App,
    request: &ReadDoorListRequest,
) -> Result<ReadDoorListResponse, Error> {
    let mut fields = Fields::default();
    let event = fields.parse("event_id", &request.event_id);
    let limit = match request.limit {
        0 => DEAD_CODES_DEFAULT,
        limit => limit,
    };
    if limit > DEAD_CODES_MAX {
        fields.refuse("limit", format!("must be at most {DEAD_CODES_MAX}"));
    }
    let Some(event) = event else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let after = request.after_seq;
    let reader = Reader {
        event,
        after,
        limit,
    };
    let list = app
        .db
        .read(reader, |conn, reader| Box::pin(read(conn, *reader)))
        .await?;
    let keys = list.keys.into_iter().map(|key| DoorKey {
        number: key.number.into(),
        revoked: key.state == KeyState::Revoked,
        public_key: key.public_key,
    });
    Ok(ReadDoorListResponse {
        keys: keys.collect(),
        more: list.dead.len() == limit as usize,
        next_seq: list.dead.last().map_or(after, |(seq, _)| *seq),
        dead_codes: list.dead.into_iter().map(|(_, code)| code).collect(),
    })
}

async fn read(conn: &mut PgConnection, reader: Reader) -> Result<List, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT seq, ticket_id, generation, verdict FROM code_revocations
        WHERE event_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
        "#,
        reader.event.uuid(),
        reader.after,
        i64::from(reader.limit),
    )
    .fetch_all(&mut *conn)
    .await?;
    let dead = rows.into_iter().map(|row| {
        let (ticket, generation) = (
            TicketId::from(row.ticket_id),
            keys::stored_number(row.generation),
        );
        let verdict = match row.verdict.as_str() {
            "void" => Verdict::Void,
            _ => Verdict::Revoked,
        };
        let digest = codes::digest(reader.event, ticket, generation).to_vec();
        let code = DeadCode {
            digest,
            verdict: verdict.into(),
        };
        (row.seq, code)
    });
    let dead = dead.collect();
    let keys = keys::of_event(conn, reader.event).await?;
    Ok(List { keys, dead })
}
