//! Deletes a ticket type of which nothing was ever held or sold. The pools are locked before it is
//! asked whether its own was touched, so a hold is either seen, or finds the type gone.

use base::TicketTypeId;
use proto::ticket::{DeleteTicketTypeRequest, DeleteTicketTypeResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    error::Error,
    store::{
        catalog::{self, TicketType},
        changes::{self, Actor, Change},
        pools,
    },
};

#[derive(Debug)]
struct Delete {
    id: TicketTypeId,
    actor: Actor,
    expected_version: i64,
}

pub async fn delete_ticket_type(
    app: &App,
    request: Request<DeleteTicketTypeRequest>,
) -> Result<DeleteTicketTypeResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let id = request
        .ticket_type_id
        .parse()
        .map_err(|_| Error::NotFound("ticket type"))?;
    let delete = Delete {
        id,
        actor,
        expected_version: request.expected_version,
    };
    app.db
        .run(delete, |conn, delete| {
            Box::pin(find_and_delete(conn, delete))
        })
        .await?;
    Ok(DeleteTicketTypeResponse {})
}

async fn find_and_delete(conn: &mut PgConnection, delete: &Delete) -> Result<(), Error> {
    let found = catalog::lock_own_type(conn, delete.id, &delete.actor).await;
    let is_gone = matches!(found, Err(Error::NotFound(_)));
    // By this very call, whose commit had no answer.
    if is_gone && changes::is_recorded(conn, &delete.actor).await? {
        return Ok(());
    }
    let (event, before) = found?;
    catalog::must_be_at(before.version, delete.expected_version)?;
    event.must_not_be_archived()?;
    pools::lock_all(conn, event.id()).await?;
    if pools::have_sales(conn, &[before.pool_id]).await? {
        return Err(Error::HasSales);
    }
    pools::delete_types(conn, std::slice::from_ref(&before)).await?;
    let change = Change::<Option<TicketType>> {
        action: "ticket_type.deleted",
        event_id: event.id(),
        object_id: before.id,
        before: Some(&Some(before)),
        after: &None,
    };
    changes::record(conn, &delete.actor, &change).await
}
