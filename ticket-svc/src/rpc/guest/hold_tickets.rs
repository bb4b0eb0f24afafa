//! Sets stock aside for one guest, all lines or none, at the price of this moment.
//!
//! The hold's id is derived from the idempotency key and the day. A hold that is stored is the answer before
//! anything is refused: a guest whose answer was lost meets their own hold, also when the last ticket
//! is gone. The rest is the hot path's (`hold`), which serves everybody who came meanwhile at once.

use std::collections::HashSet;

use base::{TicketTypeId, body_hash, derived_id};
use prost::Message as _;
use proto::ticket::{HoldTicketsLine, HoldTicketsRequest, HoldTicketsResponse};

use crate::{
    app::App,
    domain::limits::LINES_MAX,
    error::Error,
    hold::{Wish, WishLine},
    rpc::{fields, fields::Fields, proof, view},
};

pub async fn hold_tickets(
    app: &App,
    request: HoldTicketsRequest,
) -> Result<HoldTicketsResponse, Error> {
    let hold = app.lanes.hold(read(request)?).await?;
    kit::failpoint!("ticket.held");
    let (key_id, generation) = (&hold.secret_key_id, hold.secret_generation);
    let secret = app
        .hold_keys
        .derive_with(key_id, proof::PURPOSE, hold.id.uuid(), generation)
        .ok_or(Error::Fault("the key of a hold has left HOLD_KEYS"))?;
    Ok(HoldTicketsResponse {
        hold: Some(view::hold(&hold)),
        secret: secret.expose().to_owned(),
    })
}

fn read(mut request: HoldTicketsRequest) -> Result<Wish, Error> {
    let key = fields::required_key(&std::mem::take(&mut request.idempotency_key))?;
    // The key is taken out, so this is the body.
    let body_hash = body_hash(&[&request.encode_to_vec()]);
    let mut fields = Fields::default();
    let event_id = fields.parse("event_id", &request.event_id);
    if !(1..=LINES_MAX).contains(&request.lines.len()) {
        fields.refuse("lines", format!("must have 1 to {LINES_MAX} entries"));
    }
    let lines = read_lines(&mut fields, &request.lines);
    let Some(event_id) = event_id else {
        return Err(fields.into_error());
    };
    fields.done()?;
    Ok(Wish {
        key_id: derived_id("holds", &key),
        event_id,
        lines,
        body_hash,
    })
}

fn read_lines(fields: &mut Fields, lines: &[HoldTicketsLine]) -> Vec<WishLine> {
    let mut seen = HashSet::new();
    let mut read = Vec::new();
    for (index, line) in lines.iter().enumerate().take(LINES_MAX) {
        let field = format!("lines[{index}].ticket_type_id");
        let Some(ticket_type_id) = fields.parse::<TicketTypeId>(&field, &line.ticket_type_id)
        else {
            continue;
        };
        if !seen.insert(ticket_type_id) {
            fields.refuse(&field, "must be another one on each line");
        }
        if line.quantity == 0 {
            fields.refuse(&format!("lines[{index}].quantity"), "must be at least 1");
        }
        read.push(WishLine {
            ticket_type_id,
            quantity: line.quantity,
        });
    }
    read
}
