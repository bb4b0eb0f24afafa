pub(super) mod decide_account_request;
pub(super) mod invite_admin;
pub(super) mod list_accounts;
pub(super) mod list_invitations;
pub(super) mod reset_second_factor;
pub(super) mod revoke_invitation;
pub(super) mod rotate_signing_key;
pub(super) mod update_account;
