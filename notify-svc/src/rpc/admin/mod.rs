pub(super) mod dismiss_notification;
pub(super) mod dismiss_poison_message;
pub(super) mod get_notification;
pub(super) mod get_template;
pub(super) mod list_notifications;
pub(super) mod list_poison_messages;
pub(super) mod list_templates;
pub(super) mod preview_template;
pub(super) mod publish_template;
pub(super) mod read_notification;
pub(super) mod report_bounce;
pub(super) mod resend_notification;
pub(super) mod retry_notification;
pub(super) mod revert_template;
mod sight;
mod template;

pub(crate) use sight::OwnEvents;
