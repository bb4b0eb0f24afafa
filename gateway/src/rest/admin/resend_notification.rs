use axum::{Json, extract::State};
use base::NotificationId;
use http::StatusCode;
use proto::notify::ResendNotificationRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Key},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadKey, Faults},
        types::Notification,
    },
};

/// Sends a mail that was sent once more, in the same words, as a mail of its own.
///
/// The same `Idempotency-Key` answers the same copy.
#[utoipa::path(post, path = "/api/v1/admin/notifications/{id}/resend", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 201, body = Notification, description = "The copy"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`NOTIFICATION_NOT_OPEN`: it was not sent, or too often"),
        BadKey, AdminOnly, Absent, Faults
    ))]
pub async fn resend_notification(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<NotificationId>,
    Key(key): Key,
) -> Result<(StatusCode, Json<Notification>), Problem> {
    let request = token.request(ResendNotificationRequest {
        notification_id: id.to_string(),
        idempotency_key: key.as_str().to_owned(),
    });
    let mut notifications = app.upstreams.notifications();
    let copy = notifications
        .resend_notification(request)
        .await?
        .into_inner();
    Ok((
        StatusCode::CREATED,
        Json(Notification::required(copy.notification)?),
    ))
}
