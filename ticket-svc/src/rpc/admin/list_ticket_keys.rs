//! The keys that sign the codes of one event of the caller, oldest first.

use base::EventId;
use proto::ticket::{ListTicketKeysRequest, ListTicketKeysResponse};
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::view,
    store::{catalog, keys},
};

pub async fn list_ticket_keys(
    app: &App,
    request: Request<ListTicketKeysRequest>,
) -> Result<ListTicketKeysResponse, Error> {
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
                keys::of_event(conn, *id).await
            })
        })
        .await?;
    Ok(ListTicketKeysResponse {
        keys: view::ticket_keys(&found),
    })
}
