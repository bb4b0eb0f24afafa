pub(super) mod list_keys;
