//! One notification.

use proto::notify::{GetNotificationRequest, GetNotificationResponse};
use tonic::Request;

use super::sight::Caller;
use crate::{app::App, error::Error};

pub(in crate::rpc) async fn get_notification(
    app: &App,
    request: Request<GetNotificationRequest>,
) -> Result<GetNotificationResponse, Error> {
    let caller = Caller::of(&request)?;
    let id = &request.get_ref().notification_id;
    let row = caller.notification(app, id).await?;
    Ok(GetNotificationResponse {
        notification: Some(row.wire()?),
    })
}
