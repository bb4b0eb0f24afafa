//! One event of the caller, whatever its status.

use proto::ticket::{GetOwnEventRequest, GetOwnEventResponse};
use tonic::Request;

use super::actor;
use crate::{app::App, error::Error, rpc::view, store::catalog};

pub async fn get_own_event(
    app: &App,
    request: Request<GetOwnEventRequest>,
) -> Result<GetOwnEventResponse, Error> {
    let actor = actor(app, &request)?;
    let id = request
        .into_inner()
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let (event, types) = app
        .db
        .read((id, actor), |conn, (id, actor)| {
            Box::pin(async move {
                let event = catalog::own_event(conn, *id, actor).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(GetOwnEventResponse {
        event: Some(view::event(&event, &types)),
        ticket_types: view::ticket_types(&event, &types),
    })
}
