use axum::{Json, extract::State};
use base::EventId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::Failure;
use proto::ticket::{self, ReadDoorListRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{Id, Query},
    problem::Problem,
    rest::{
        problems::{Absent, BadQuery, Faults},
        types::{Verdict, all},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Cursor {
    /// `next` of the answer before; everything where it is left out.
    after: u32,
    /// Dead codes in one answer, at most 5,000; 1,000 where it is left out.
    limit: u32,
}

/// What a scanner needs to judge an event's codes without a network.
#[derive(Serialize, ToSchema)]
pub struct DoorList {
    #[schema(format = Uuid)]
    event_id: String,
    /// All keys, in every answer.
    keys: Vec<DoorKey>,
    /// Those after `after`.
    dead_codes: Vec<DeadCode>,
    /// For `after` of the next request.
    next: i64,
    /// There is more already.
    more: bool,
}

/// A key that verifies codes.
#[derive(Serialize, ToSchema)]
pub struct DoorKey {
    /// As it stands in a code.
    number: u32,
    /// Ed25519: 32 bytes as base64url without padding.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    public_key: String,
    /// Nothing that it signed is valid.
    revoked: bool,
}

impl From<ticket::DoorKey> for DoorKey {
    fn from(key: ticket::DoorKey) -> Self {
        Self {
            number: key.number,
            public_key: URL_SAFE_NO_PAD.encode(key.public_key),
            revoked: key.revoked,
        }
    }
}

/// A code that its signature does not tell dead.
#[derive(Serialize, ToSchema)]
pub struct DeadCode {
    /// Names the code to whoever has it: 16 digits.
    #[schema(example = "9f86d081884c7d65")]
    digest: String,
    /// `void` or `revoked`.
    verdict: Verdict,
}

impl TryFrom<ticket::DeadCode> for DeadCode {
    type Error = Failure;

    fn try_from(code: ticket::DeadCode) -> Result<Self, Failure> {
        Ok(Self {
            verdict: Verdict::of(code.verdict)?,
            digest: base::hex(&code.digest),
        })
    }
}

/// The keys that verify a concert's ticket codes, and the codes that are dead, for scanners.
///
/// Open to all: it names no ticket and no guest. Empty for an absent concert, as for one of which nothing was
/// sold.
#[utoipa::path(get, path = "/api/v1/events/{id}/door-list", tag = "open",
    params(("id" = String, Path, format = Uuid), Cursor),
    responses((status = 200, body = DoorList), BadQuery, Absent, Faults))]
pub async fn get_door_list(
    State(app): State<Shared>,
    Id(id): Id<EventId>,
    Query(cursor): Query<Cursor>,
) -> Result<Json<DoorList>, Problem> {
    let request = ReadDoorListRequest {
        event_id: id.to_string(),
        after_seq: cursor.after.into(),
        limit: cursor.limit,
    };
    let mut codes = app.upstreams.ticket_codes();
    let list = codes.read_door_list(request).await?.into_inner();
    Ok(Json(DoorList {
        event_id: id.to_string(),
        keys: list.keys.into_iter().map(DoorKey::from).collect(),
        dead_codes: all(list.dead_codes)?,
        next: list.next_seq,
        more: list.more,
    }))
}
