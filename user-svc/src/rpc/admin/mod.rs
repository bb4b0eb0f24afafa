pub(super) mod get_me;
