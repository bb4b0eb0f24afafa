use axum::{Json, extract::State};
use base::NotificationId;
use proto::notify::ReadNotificationRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, Faults},
};

/// A mail, without what only its reader may have.
#[derive(Serialize, ToSchema)]
pub struct Mail {
    #[schema(example = "Your tickets for Moonlight Sessions")]
    subject: String,
    html: String,
    text: String,
}

/// What a mail says.
///
/// It is drawn again from what is stored, in the words that were in force for it. The links and codes in it are its
/// reader's: `•••` stands in their places. For owners of its concert. Of an erased guest there is nothing to read.
#[utoipa::path(get, path = "/api/v1/admin/notifications/{id}/mail", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = Mail), AdminOnly, Absent, Faults))]
pub async fn read_notification(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<NotificationId>,
) -> Result<Json<Mail>, Problem> {
    let request = token.request(ReadNotificationRequest {
        notification_id: id.to_string(),
    });
    let mut notifications = app.upstreams.notifications();
    let mail = notifications.read_notification(request).await?.into_inner();
    Ok(Json(Mail {
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
    }))
}
