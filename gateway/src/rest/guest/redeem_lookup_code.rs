use axum::{Json as Answer, extract::State};
use kit::Failure;
use proto::payment::RedeemLookupCodeRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Json, Network, Path},
    problem::Problem,
    rest::{
        problems::{BadBody, Faults},
        types::FoundOrder,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupCode {
    /// From the mail; spaces and dashes do not matter.
    #[schema(example = "1234 5678")]
    pub code: String,
}

#[derive(Serialize, ToSchema)]
pub struct FoundOrders {
    /// Newest first.
    pub orders: Vec<FoundOrder>,
}

/// The orders of the address that a code was sent to.
///
/// A code works once, for 15 minutes, and is dead after five wrong tries. Whatever is wrong with it has
/// one answer, `CODE_INVALID`.
#[utoipa::path(post, path = "/api/v1/lookups/{id}/redeem", tag = "guest", request_body = LookupCode,
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = FoundOrders), BadBody, Faults))]
pub async fn redeem_lookup_code(
    State(app): State<Shared>,
    network: Network,
    Path(id): Path<String>,
    Json(LookupCode { code }): Json<LookupCode>,
) -> Result<Answer<FoundOrders>, Problem> {
    Ok(Answer(redeem(&app, network, id, code).await?))
}

pub async fn redeem(
    app: &App,
    Network(network): Network,
    lookup_id: String,
    code: String,
) -> Result<FoundOrders, Problem> {
    let request = RedeemLookupCodeRequest {
        lookup_id,
        code,
        network,
    };
    let found = app.upstreams.desk().redeem_lookup_code(request).await?;
    let link = |path: &str| app.public_url.join(path);
    let orders = found.into_inner().orders.into_iter();
    let orders: Result<Vec<FoundOrder>, Failure> =
        orders.map(|order| FoundOrder::of(order, link)).collect();
    Ok(FoundOrders { orders: orders? })
}
