//! What a code is worth now, at the door of one event of the caller: for the desk, when somebody asks why
//! their ticket does not open the door. It lets nobody in.

use base::{EventId, KeyRing, OrderId, TicketId};
use codes::{Code, PublicKey};
use proto::ticket::{VerifiedTicket, VerifyTicketRequest, VerifyTicketResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::{
        key_state::KeyState,
        ticket_code,
        verdict::{Genuine, Verdict, verdict},
    },
    error::Error,
    rpc::view,
    store::{catalog, changes::Actor, known},
};

/// Of every code of the first format: a ticket that is handed on gets one of the second.
const FIRST_GENERATION: u32 = 1;

#[derive(Debug)]
struct Verify {
    event: EventId,
    actor: Actor,
    shown: Option<Shown>,
    ring: KeyRing,
}

/// A text that has the form of a code.
#[derive(Debug)]
enum Shown {
    First { ticket: TicketId, text: String },
    Second(Box<Code>),
}

/// What is stored of the ticket that a code names.
struct Stored {
    id: TicketId,
    order_id: OrderId,
    event: EventId,
    category: String,
    /// Of the ring, for a code of the first format.
    key_id: String,
    generation: u32,
    is_void: bool,
    holder_name: String,
    /// The key that the code names.
    key: Option<(PublicKey, KeyState)>,
}

pub async fn verify_ticket(
    app: &App,
    request: Request<VerifyTicketRequest>,
) -> Result<VerifyTicketResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let event = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let verify = Verify {
        event,
        actor,
        shown: shown(request.code),
        ring: app.signers.ring().clone(),
    };
    app.db
        .read(verify, |conn, verify| Box::pin(judge(conn, verify)))
        .await
}

fn shown(text: String) -> Option<Shown> {
    if let Some(code) = Code::parse(&text) {
        return Some(Shown::Second(Box::new(code)));
    }
    let ticket = ticket_code::ticket_id(&text)?;
    Some(Shown::First { ticket, text })
}

async fn judge(conn: &mut PgConnection, verify: &Verify) -> Result<VerifyTicketResponse, Error> {
    catalog::own_event(conn, verify.event, &verify.actor).await?;
    let unknown = answer(Verdict::Unknown, None);
    let Some(shown) = &verify.shown else {
        return Ok(unknown);
    };
    let (ticket, key) = match shown {
        Shown::First { ticket, .. } => (*ticket, 0),
        Shown::Second(code) => (code.claims().ticket, code.claims().key),
    };
    let Some(stored) = find(conn, ticket, key).await? else {
        return Ok(unknown);
    };
    let Some(genuine) = genuine(shown, &stored, &verify.ring) else {
        return Ok(unknown);
    };
    let verdict = verdict(&genuine, verify.event);
    let ticket = (verdict != Verdict::WrongEvent).then(|| VerifiedTicket {
        id: stored.id.to_string(),
        order_id: stored.order_id.to_string(),
        category: stored.category,
        generation: genuine.shown,
        holder_name: stored.holder_name,
    });
    Ok(answer(verdict, ticket))
}

fn answer(verdict: Verdict, ticket: Option<VerifiedTicket>) -> VerifyTicketResponse {
    VerifyTicketResponse {
        verdict: view::verdict(verdict).into(),
        ticket,
    }
}

/// None for a code that nobody here has made.
fn genuine(shown: &Shown, stored: &Stored, ring: &KeyRing) -> Option<Genuine> {
    let (shown, key) = match shown {
        Shown::First { text, .. } => {
            let (key_id, id) = (&stored.key_id, stored.id);
            ticket_code::verify(ring, key_id, id, FIRST_GENERATION, text).then_some(())?;
            (FIRST_GENERATION, None)
        }
        Shown::Second(code) => {
            let (public_key, state) = stored.key.as_ref()?;
            code.is_signed_by(stored.event, public_key).then_some(())?;
            (code.claims().generation.into(), Some(*state))
        }
    };
    Some(Genuine {
        event: stored.event,
        shown,
        current: stored.generation,
        key,
        is_void: stored.is_void,
    })
}

async fn find(conn: &mut PgConnection, id: TicketId, key: u16) -> Result<Option<Stored>, Error> {
    let row = sqlx::query!(
        r#"
        SELECT t.order_id, t.event_id, t.category, t.code_key_id, t.generation, t.voided_by,
               k.public_key AS "public_key?", k.state AS "state?",
               COALESCE(h.holder_name, '') AS "holder_name!"
        FROM tickets t
        LEFT JOIN event_keys k ON k.event_id = t.event_id AND k.number = $2
        LEFT JOIN ticket_transfers h ON h.ticket_id = t.id AND h.generation = t.generation
        WHERE t.id = $1
        "#,
        id.uuid(),
        i32::from(key),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Stored {
        id,
        order_id: row.order_id.into(),
        event: row.event_id.into(),
        category: row.category,
        key_id: row.code_key_id,
        generation: row.generation.cast_unsigned(),
        is_void: row.voided_by.is_some(),
        holder_name: row.holder_name,
        key: row.public_key.zip(row.state).and_then(|(key, state)| {
            let state = known(KeyState::from_word(&state));
            Some((PublicKey::from_bytes(&key)?, state))
        }),
    }))
}
