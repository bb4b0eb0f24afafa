use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::HeaderMap;
use proto::ticket::ListEventsRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::Query,
    problem::Problem,
    programme::{self, Age, conditional, tag_of},
    rest::{
        problems::{BadQuery, Faults},
        types::{Event, all, moment},
    },
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Search {
    /// Words to find in title, description or location.
    query: String,
    /// Concerts at or after this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Concerts before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Words to find in the location.
    location: String,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct EventPage {
    events: Vec<Event>,
    /// Empty on the last page.
    next_page_token: String,
}

/// The programme: active concerts by date, soonest first.
///
/// `Age` says how old the answer may be, in seconds, while that cannot be found out.
#[utoipa::path(get, path = "/api/v1/events", tag = "guest",
    params(Search, ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer before")),
    responses(
        (status = 200, body = EventPage, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "Nothing has changed"),
        BadQuery, Faults
    ))]
pub async fn list_events(
    State(app): State<Shared>,
    Query(search): Query<Search>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let request = ListEventsRequest {
        query: search.query,
        from: moment::query("from", search.from.as_deref())?,
        to: moment::query("to", search.to.as_deref())?,
        location: search.location,
        page_size: search.page_size,
        page_token: search.page_token,
    };
    let known = programme::Search::read(&request).and_then(|search| app.programme.list(&search));
    if let Some((found, age)) = known {
        return Ok(conditional(&headers, &found.tag()?, age, || found.body()));
    }
    let page = app.upstreams.catalog().list_events(request).await?;
    let page = page.into_inner();
    let page = EventPage {
        events: all(page.events)?,
        next_page_token: page.next_page_token,
    };
    let body = serde_json::to_vec(&page).map_err(kit::Failure::internal)?;
    let tag = tag_of(&base::digest(&body))?;
    Ok(conditional(&headers, &tag, Age(None), || body.into()).into_response())
}
