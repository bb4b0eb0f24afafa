pub mod health;
pub mod list_keys;
pub mod readiness;
pub mod receive_webhook;
pub mod security_txt;
