use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::GetOrderMarkRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::Access,
    problem::Problem,
    rest::problems::{Faults, Secret},
};

#[derive(Serialize, ToSchema)]
pub struct Mark {
    #[schema(example = "6b1a8d0e0c7f2a11")]
    pub mark: String,
}

/// A word that differs whenever anything of the order has changed.
///
/// Cheap to ask often: read the order when it does.
#[utoipa::path(get, path = "/api/v1/orders/{id}/mark", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, body = Mark), Secret, Faults))]
pub async fn get_order_mark(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Json<Mark>, Problem> {
    let request = GetOrderMarkRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
    };
    let found = app.upstreams.desk().get_order_mark(request).await?;
    let mark = found.into_inner().mark;
    Ok(Json(Mark { mark }))
}
