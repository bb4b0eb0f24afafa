use axum::{Json, extract::State};
use base::NotificationId;
use proto::notify::RetryNotificationRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::Notification,
    },
};

/// Tries a mail that failed, came back, or waits, again at once.
///
/// It is the same mail under the same Message-ID.
#[utoipa::path(post, path = "/api/v1/admin/notifications/{id}/retry", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Notification),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`NOTIFICATION_NOT_OPEN`: it was sent, is on its way, or was erased"),
        AdminOnly, Absent, Faults
    ))]
pub async fn retry_notification(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<NotificationId>,
) -> Result<Json<Notification>, Problem> {
    let request = token.request(RetryNotificationRequest {
        notification_id: id.to_string(),
    });
    let mut notifications = app.upstreams.notifications();
    let tried = notifications
        .retry_notification(request)
        .await?
        .into_inner();
    Ok(Json(Notification::required(tried.notification)?))
}
