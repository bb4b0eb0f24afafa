use axum::{Json as Answer, extract::State};
use proto::notify::ReportBounceRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::Notification,
    },
};

/// Either the report, or the notification and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounce {
    /// The returned mail as it came (RFC 3464).
    #[serde(default)]
    report: String,
    #[serde(default)]
    notification_id: String,
    /// 1 to 500 characters.
    #[serde(default)]
    #[schema(example = "The guest says that nothing came.")]
    explanation: String,
}

#[derive(Serialize, ToSchema)]
pub struct ReportedBounce {
    /// Null where the report names no mail of ours, tells of no failure for good, or was read before.
    notification: Option<Notification>,
}

/// Says that a mail came back. For superadmins.
#[utoipa::path(post, path = "/api/v1/admin/bounces", tag = "admin",
    request_body = Bounce, security(("access_token" = [])),
    responses(
        (status = 200, body = ReportedBounce),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`NOTIFICATION_NOT_OPEN`: it was never sent, or was erased"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn report_bounce(
    State(app): State<Shared>,
    token: AdminToken,
    Json(bounce): Json<Bounce>,
) -> Result<Answer<ReportedBounce>, Problem> {
    let request = token.request(ReportBounceRequest {
        report: bounce.report,
        notification_id: bounce.notification_id,
        explanation: bounce.explanation,
    });
    let mut notifications = app.upstreams.notifications();
    let told = notifications.report_bounce(request).await?.into_inner();
    let notification = told.notification.map(Notification::try_from);
    Ok(Answer(ReportedBounce {
        notification: notification.transpose()?,
    }))
}
