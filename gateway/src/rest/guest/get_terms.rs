use axum::{Json, extract::State};
use proto::payment::GetTermsRequest;

use crate::{
    app::{App, Shared},
    problem::Problem,
    rest::{problems::Faults, types::Terms},
};

/// On which terms orders are placed.
#[utoipa::path(get, path = "/api/v1/terms", tag = "guest",
    responses((status = 200, body = Terms), Faults))]
pub async fn get_terms(State(app): State<Shared>) -> Result<Json<Terms>, Problem> {
    Ok(Json(terms(&app).await?))
}

pub async fn terms(app: &App) -> Result<Terms, Problem> {
    let found = app.upstreams.desk().get_terms(GetTermsRequest {}).await?;
    Ok(found.into_inner().into())
}
