pub(crate) mod send_notifications;
