use axum::{Json as Answer, extract::State};
use base::NotificationId;
use proto::notify::DismissNotificationRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::Notification,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dismissal {
    /// For the audit log: 1 to 500 characters.
    #[schema(example = "Told the guest by phone.")]
    pub note: String,
}

/// Says that nothing more is to be done about a mail that failed or came back.
#[utoipa::path(post, path = "/api/v1/admin/notifications/{id}/dismiss", tag = "admin",
    request_body = Dismissal,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Notification),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`NOTIFICATION_NOT_OPEN`: it has neither failed nor come back"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn dismiss_notification(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<NotificationId>,
    Json(dismissal): Json<Dismissal>,
) -> Result<Answer<Notification>, Problem> {
    let request = token.request(DismissNotificationRequest {
        notification_id: id.to_string(),
        note: dismissal.note,
    });
    let mut notifications = app.upstreams.notifications();
    let dismissed = notifications
        .dismiss_notification(request)
        .await?
        .into_inner();
    Ok(Answer(Notification::required(dismissed.notification)?))
}
