//! What an admin may do with an event. With an absent event nobody may do anything.

use base::{EventId, UserId};
use proto::{
    Grant, common,
    ticket::{CheckGrantRequest, CheckGrantResponse},
};

use crate::{app::App, error::Error, rpc::fields::Fields, store::grants};

pub async fn check_grant(
    app: &App,
    request: &CheckGrantRequest,
) -> Result<CheckGrantResponse, Error> {
    let mut fields = Fields::default();
    let user_id: Option<UserId> = fields.parse("user_id", &request.user_id);
    let event_id: Option<EventId> = fields.parse("event_id", &request.event_id);
    let (Some(user_id), Some(event_id)) = (user_id, event_id) else {
        return Err(fields.into_error());
    };
    let grant = app
        .db
        .read((user_id, event_id), |conn, (user_id, event_id)| {
            Box::pin(grants::of(conn, *event_id, *user_id))
        })
        .await?;
    Ok(CheckGrantResponse {
        granted: matches!(grant, Some(Grant::Owner | Grant::Editor)),
        grant: grant
            .map_or(common::Grant::Unspecified, common::Grant::from)
            .into(),
    })
}
