use axum::{Json as Answer, extract::State};
use base::OrderId;
use proto::payment::UpdatePreferencesRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Access, Json},
    problem::Problem,
    rest::{
        problems::{BadBody, Faults, Secret},
        types::{Order, broken},
    },
};

/// What is left out stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferencesChange {
    /// The language of messages and documents, a BCP 47 tag whose first part decides.
    #[serde(default)]
    #[schema(example = "fr")]
    pub locale: Option<String>,
    /// A message before the concert.
    #[serde(default)]
    pub reminder: Option<bool>,
    /// News beside the receipt.
    #[serde(default)]
    pub notices: Option<bool>,
}

/// Changes what the guest wants to hear, and in which language.
#[utoipa::path(patch, path = "/api/v1/orders/{id}/preferences", tag = "guest",
    request_body = PreferencesChange,
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, body = Order), BadBody, Secret, Faults))]
pub async fn update_preferences(
    State(app): State<Shared>,
    access: Access<OrderId>,
    Json(change): Json<PreferencesChange>,
) -> Result<Answer<Order>, Problem> {
    Ok(Answer(update(&app, access, change).await?))
}

pub async fn update(
    app: &App,
    access: Access<OrderId>,
    change: PreferencesChange,
) -> Result<Order, Problem> {
    let request = UpdatePreferencesRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        locale: change.locale,
        reminder: change.reminder,
        notices: change.notices,
    };
    let changed = app.upstreams.desk().update_preferences(request).await?;
    let order = changed.into_inner().order;
    Ok(order.ok_or_else(|| broken("order"))?.try_into()?)
}
