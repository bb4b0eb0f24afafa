pub(super) mod login;
pub(super) mod setup_first_admin;
