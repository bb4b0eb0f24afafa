//! Everybody who was granted one event.

use proto::ticket::{ListEventGrantsRequest, ListEventGrantsResponse};
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::view,
    store::{catalog, grants},
};

pub async fn list_event_grants(
    app: &App,
    request: Request<ListEventGrantsRequest>,
) -> Result<ListEventGrantsResponse, Error> {
    let actor = actor(app, &request)?;
    let id = request
        .into_inner()
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let rows = app
        .db
        .read((id, actor), |conn, (id, actor)| {
            Box::pin(async move {
                catalog::own_event(conn, *id, actor).await?;
                grants::all(conn, *id).await
            })
        })
        .await?;
    Ok(ListEventGrantsResponse {
        grants: rows.iter().map(view::event_grant).collect(),
    })
}
