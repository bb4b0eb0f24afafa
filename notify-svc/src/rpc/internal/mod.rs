pub(super) mod accept;
mod correct_address;
mod erase_holder;
mod erase_order;
pub(super) mod get_delivery;
pub(super) mod render_document;
