use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::payment::RequestLookupCodeRequest;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Json, Key, Network},
    problem::Problem,
    rest::{
        problems::{BadBody, Faults},
        types::time_of,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLookup {
    /// The address that orders were placed with.
    #[schema(format = Email)]
    pub email: String,
    /// The language of the mail, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "en")]
    pub locale: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Lookup {
    pub id: String,
    #[serde(with = "rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Sends a code to an address, with which its orders are found.
///
/// The answer is the same whether there are orders of it or not.
#[utoipa::path(post, path = "/api/v1/orders/lookup", tag = "guest", request_body = NewLookup,
    params(("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent")),
    responses((status = 202, body = Lookup), BadBody, Faults))]
pub async fn request_lookup_code(
    State(app): State<Shared>,
    network: Network,
    Key(key): Key,
    Json(new): Json<NewLookup>,
) -> Result<(StatusCode, Answer<Lookup>), Problem> {
    let lookup = request(&app, network, new, key.as_str()).await?;
    Ok((StatusCode::ACCEPTED, Answer(lookup)))
}

pub async fn request(
    app: &App,
    Network(network): Network,
    new: NewLookup,
    key: &str,
) -> Result<Lookup, Problem> {
    let request = RequestLookupCodeRequest {
        email: new.email,
        locale: new.locale.unwrap_or_default(),
        network,
        idempotency_key: key.to_owned(),
    };
    let asked = app.upstreams.desk().request_lookup_code(request).await?;
    let asked = asked.into_inner();
    Ok(Lookup {
        expires_at: time_of(asked.expires_at.as_ref(), "expires_at")?,
        id: asked.lookup_id,
    })
}
