use axum::{Json, extract::State};
use proto::ticket::ListOwnEventsRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::AdminEvent,
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
    /// The archived ones instead of all others.
    archived: bool,
    /// Words to find in title or location.
    q: String,
}

#[derive(Serialize, ToSchema)]
pub struct AdminEventPage {
    events: Vec<AdminEvent>,
    /// Empty on the last page.
    next_page_token: String,
}

/// The caller's concerts, whatever their status, newest date first; archived ones are a list of
/// their own.
#[utoipa::path(get, path = "/api/v1/admin/events", tag = "admin", params(Page),
    security(("access_token" = [])),
    responses((status = 200, body = AdminEventPage), AdminOnly, BadQuery, Faults))]
pub async fn list_own_events(
    State(app): State<Shared>,
    token: AdminToken,
    Query(page): Query<Page>,
) -> Result<Json<AdminEventPage>, Problem> {
    let request = ListOwnEventsRequest {
        page_size: page.page_size,
        page_token: page.page_token,
        archived: page.archived,
        query: page.q,
    };
    let request = token.request(request);
    let found = app
        .upstreams
        .catalog_admin()
        .list_own_events(request)
        .await?
        .into_inner();
    let events = found
        .events
        .into_iter()
        .map(AdminEvent::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Json(AdminEventPage {
        events,
        next_page_token: found.next_page_token,
    }))
}
