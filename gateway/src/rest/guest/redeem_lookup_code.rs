use axum::{Json as Answer, extract::State};
use kit::Failure;
use proto::payment::RedeemLookupCodeRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Json, Network},
    problem::Problem,
    rest::{
        problems::{BadBody, Faults},
        types::FoundOrder,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupCode {
    /// Where the code went.
    #[schema(format = Email)]
    pub email: String,
    /// Of the answer that said it would come. Whoever brings it is not kept out by what strangers try with the address.
    #[serde(default)]
    #[schema(format = Uuid)]
    pub id: Option<String>,
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
/// A code works once, for 15 minutes, and is dead after five wrong tries with its `id`, and for who brings the
/// address alone after five with that. Whatever is wrong with it has one answer, `CODE_INVALID`.
#[utoipa::path(post, path = "/api/v1/orders/lookup/confirm", tag = "guest", request_body = LookupCode,
    responses((status = 200, body = FoundOrders), BadBody, Faults))]
pub async fn redeem_lookup_code(
    State(app): State<Shared>,
    network: Network,
    Json(LookupCode { email, id, code }): Json<LookupCode>,
) -> Result<Answer<FoundOrders>, Problem> {
    let request = RedeemLookupCodeRequest {
        lookup_id: id.unwrap_or_default(),
        email,
        code,
        ..RedeemLookupCodeRequest::default()
    };
    Ok(Answer(redeem(&app, network, request).await?))
}

pub async fn redeem(
    app: &App,
    Network(network): Network,
    request: RedeemLookupCodeRequest,
) -> Result<FoundOrders, Problem> {
    let request = RedeemLookupCodeRequest { network, ..request };
    let found = app.upstreams.desk().redeem_lookup_code(request).await?;
    let link = |path: &str| app.public_url.join(path);
    let orders = found.into_inner().orders.into_iter();
    let orders: Result<Vec<FoundOrder>, Failure> =
        orders.map(|order| FoundOrder::of(order, link)).collect();
    Ok(FoundOrders { orders: orders? })
}
