use axum::{Json, extract::State};
use proto::notify::{ListNotificationsRequest, NotificationState as Contract};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{Notification, NotificationState, all, wanted},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Every concert that the caller may see where it is left out.
    event_id: String,
    order_id: String,
    /// For example `receipt`.
    kind: String,
    #[param(value_type = Option<NotificationState>)]
    status: String,
    /// Only those that failed or came back, and nobody has dealt with.
    needs_attention: bool,
    /// A whole address, or `@` and a domain.
    recipient: String,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct NotificationPage {
    notifications: Vec<Notification>,
    /// Empty on the last page.
    next_page_token: String,
}

/// Mails to guests, newest first. Those that are about no concert are for superadmins.
#[utoipa::path(get, path = "/api/v1/admin/notifications", tag = "admin", params(Search),
    security(("access_token" = [])),
    responses((status = 200, body = NotificationPage), AdminOnly, BadQuery, Faults))]
pub async fn list_notifications(
    State(app): State<Shared>,
    token: AdminToken,
    Query(search): Query<Search>,
) -> Result<Json<NotificationPage>, Problem> {
    let request = token.request(ListNotificationsRequest {
        state: wanted(
            &search.status,
            "NOTIFICATION_STATE_",
            Contract::from_str_name,
        )?,
        event_id: search.event_id,
        order_id: search.order_id,
        kind: search.kind,
        needs_attention: search.needs_attention,
        recipient: search.recipient,
        page_size: search.page_size,
        page_token: search.page_token,
    });
    let mut notifications = app.upstreams.notifications();
    let found = notifications
        .list_notifications(request)
        .await?
        .into_inner();
    Ok(Json(NotificationPage {
        notifications: all(found.notifications)?,
        next_page_token: found.next_page_token,
    }))
}
