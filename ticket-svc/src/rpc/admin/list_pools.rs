//! The shared pools of one event of the caller.

use base::EventId;
use proto::ticket::{ListPoolsRequest, ListPoolsResponse};
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::view,
    store::{catalog, pools},
};

pub async fn list_pools(
    app: &App,
    request: Request<ListPoolsRequest>,
) -> Result<ListPoolsResponse, Error> {
    let actor = actor(app, &request)?;
    let id: EventId = request
        .into_inner()
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let found = app
        .db
        .read((id, actor), |conn, (id, actor)| {
            Box::pin(async move {
                catalog::own_event(conn, *id, actor).await?;
                pools::shared(conn, *id).await
            })
        })
        .await?;
    Ok(ListPoolsResponse {
        pools: found.iter().map(view::pool).collect(),
    })
}
