use axum::{Json, extract::State};
use base::NotificationId;
use proto::notify::GetNotificationRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::Notification,
    },
};

/// One mail to a guest.
#[utoipa::path(get, path = "/api/v1/admin/notifications/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = Notification), AdminOnly, Absent, Faults))]
pub async fn get_notification(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<NotificationId>,
) -> Result<Json<Notification>, Problem> {
    let request = token.request(GetNotificationRequest {
        notification_id: id.to_string(),
    });
    let mut notifications = app.upstreams.notifications();
    let found = notifications.get_notification(request).await?.into_inner();
    Ok(Json(Notification::required(found.notification)?))
}
