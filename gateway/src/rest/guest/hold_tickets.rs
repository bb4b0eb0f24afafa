use std::time::Instant;

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use kit::ErrorReason;
use proto::ticket::{HoldTicketsLine, HoldTicketsRequest, HoldTicketsResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Asker, Json, Key, Object},
    problem::{Problem, ProblemBody},
    rates::Wish,
    rest::{
        problems::{BadBody, Faults},
        types::{Hold, NewLine, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    event_id: String,
    /// 1 to 20 lines, each of another ticket type.
    #[schema(value_type = Vec<NewLine>)]
    lines: Vec<Object<NewLine>>,
}

/// A hold with what only its maker gets.
#[derive(Serialize, ToSchema)]
pub struct MadeHold {
    #[serde(flatten)]
    hold: Hold,
    /// Proves that the caller is the one who holds.
    secret: String,
}

/// Sets tickets aside for some minutes, all lines or none.
///
/// The same `Idempotency-Key` with the same body answers the same hold.
#[utoipa::path(post, path = "/api/v1/holds", tag = "guest", request_body = NewHold,
    params(("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent")),
    responses(
        (status = 201, body = MadeHold),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`SOLD_OUT`, `HELD_BY_OTHERS`, `SALES_NOT_STARTED`, `SALES_ENDED`, `SALES_HALTED`, `LIMIT_EXCEEDED`, `EVENT_NOT_ACTIVE`"),
        BadBody, Faults
    ))]
pub async fn hold_tickets(
    State(app): State<Shared>,
    asker: Asker,
    Key(key): Key,
    Json(new): Json<NewHold>,
) -> Result<(StatusCode, Answer<MadeHold>), Problem> {
    let lines = new.lines.into_iter();
    let request = HoldTicketsRequest {
        event_id: new.event_id,
        lines: lines
            .map(|Object(line)| HoldTicketsLine {
                ticket_type_id: line.ticket_type_id,
                quantity: line.quantity,
            })
            .collect(),
        idempotency_key: key.as_str().to_owned(),
    };
    let made = set_aside(&app, asker, request).await?;
    let hold = made.hold.ok_or_else(|| broken("hold"))?.try_into()?;
    Ok((
        StatusCode::CREATED,
        Answer(MadeHold {
            hold,
            secret: made.secret,
        }),
    ))
}

/// Within what one network may set aside.
pub async fn set_aside(
    app: &App,
    asker: Asker,
    request: HoldTicketsRequest,
) -> Result<HoldTicketsResponse, Problem> {
    let wish = Wish::of(asker.network, &request);
    let holding = app.holds.hold_tickets(request);
    let made = app.rates.setting_aside(&wish, holding).await;
    let too_many = |problem: &Problem| problem.reason() == ErrorReason::TooManyRequests;
    if asker.may_be_a_crowd && made.as_ref().is_err_and(too_many) {
        app.suspicion
            .tell("sets too many tickets aside", Instant::now());
    }
    let made = made?;
    if let Some(hold) = &made.hold {
        app.lanes.remember(&hold.id, &made.secret);
    }
    Ok(made)
}
