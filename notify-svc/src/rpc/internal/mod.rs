pub(super) mod accept;
mod erase_order;
pub(super) mod get_delivery;
pub(super) mod render_document;
