//! Drawing on paper: a typeface, lines of text, pages, a PDF file around them. It knows nothing of tickets.

mod document;
mod sheet;
mod subset;
mod text;
mod typeface;

pub(super) use document::{About, Pages, document};
pub(super) use sheet::{ACCENT, INK, SOFT, Sheet, Style};
pub(super) use text::Fonts;
pub(super) use typeface::Weight;
