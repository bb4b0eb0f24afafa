pub(super) mod accept;
pub(super) mod render_document;
