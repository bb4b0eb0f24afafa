pub(super) mod check_account;
pub(super) mod list_keys;
pub(super) mod watch_keys;
