use kit::Failure;
use proto::notify;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{FailureClass, NotificationState, broken, filled, optional_time, time_of};

/// A message to a person, as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    #[schema(format = Uuid)]
    id: String,
    #[schema(example = "receipt")]
    kind: String,
    /// Null where it is about no order.
    order_id: Option<String>,
    /// Null where it is about no concert.
    event_id: Option<String>,
    /// Null once it was erased.
    #[schema(example = "guest@example.org")]
    recipient: Option<String>,
    /// 0 is the first of its kind.
    revision: u32,
    /// Above 0: an admin had it sent once more.
    copy: u32,
    status: NotificationState,
    /// It failed or came back, and nobody has dealt with it.
    needs_attention: bool,
    attempts: u32,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "rfc3339::option")]
    sent_at: Option<OffsetDateTime>,
    /// Null unless it is queued.
    #[serde(with = "rfc3339::option")]
    next_attempt_at: Option<OffsetDateTime>,
    /// Of the last attempt that failed; null once it was sent.
    failure: Option<NotificationFailure>,
    /// The Message-ID without its brackets; null before the first attempt.
    mail_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationFailure {
    class: FailureClass,
    /// In the mail server's words, or ours.
    text: String,
    /// Null where the mail server did not answer.
    #[schema(example = 550)]
    reply_code: Option<u32>,
}

impl Notification {
    /// A notification that the contract promises.
    pub fn required(notification: Option<notify::Notification>) -> Result<Self, Failure> {
        notification
            .ok_or_else(|| broken("notification"))?
            .try_into()
    }
}

impl TryFrom<notify::Notification> for Notification {
    type Error = Failure;

    fn try_from(notification: notify::Notification) -> Result<Self, Failure> {
        let failure = notification.failure.map(NotificationFailure::try_from);
        Ok(Self {
            status: NotificationState::of(notification.state)?,
            created_at: time_of(notification.created_at.as_ref(), "created_at")?,
            sent_at: optional_time(notification.sent_at.as_ref())?,
            next_attempt_at: optional_time(notification.next_attempt_at.as_ref())?,
            failure: failure.transpose()?,
            id: notification.id,
            kind: notification.kind,
            order_id: filled(notification.order_id),
            event_id: filled(notification.event_id),
            recipient: filled(notification.recipient),
            revision: notification.revision,
            copy: notification.copy,
            needs_attention: notification.needs_attention,
            attempts: notification.attempts,
            mail_id: filled(notification.mail_id),
        })
    }
}

impl TryFrom<notify::NotificationFailure> for NotificationFailure {
    type Error = Failure;

    fn try_from(failure: notify::NotificationFailure) -> Result<Self, Failure> {
        Ok(Self {
            class: FailureClass::of(failure.class)?,
            text: failure.text,
            reply_code: Some(failure.reply_code).filter(|code| *code > 0),
        })
    }
}
