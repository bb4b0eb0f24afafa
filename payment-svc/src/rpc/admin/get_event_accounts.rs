//! What an event came to, account by account.

use std::sync::Arc;

use base::EventId;
use proto::payment::{GetEventAccountsRequest, GetEventAccountsResponse};
use tonic::Request;

use super::sight::Caller;
use crate::{accounts, app::App, error::Error};

pub(in crate::rpc) async fn get_event_accounts(
    app: &Arc<App>,
    request: Request<GetEventAccountsRequest>,
) -> Result<GetEventAccountsResponse, Error> {
    let caller = Caller::of(&request)?;
    let event: Result<EventId, _> = request.get_ref().event_id.parse();
    let event = event.map_err(|_| Error::NotFound("event"))?;
    caller.may_see_event(app, event).await?;
    let read = app.db.read(event, |conn, event| {
        Box::pin(accounts::balances(conn, *event))
    });
    Ok(GetEventAccountsResponse {
        balances: read.await?,
    })
}
