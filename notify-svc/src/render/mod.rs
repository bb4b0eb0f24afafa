//! What a guest gets: the receipt as mail, ticket PDF and calendar file, and letters about what else happened.
//!
//! Everything here is a pure function of stored facts, such as a [`Receipt`]: no I/O, no clock, no randomness.
//! Rendering the same facts again gives the same bytes, so a retried mail is the same mail.

mod bidi;
mod calendar;
mod kind;
mod letter;
mod mail;
mod message;
mod paper;
pub mod qr;
mod receipt;
mod receipt_letter;
mod receipt_pdf;
mod tickets_pdf;
mod vtimezone;
mod wording;
mod words;

pub use base::Language;
pub(crate) use calendar::date_file;
pub use calendar::{Appointment, calendar};
pub use kind::Kind;
pub(crate) use letter::moment;
pub use letter::{
    About, Letter, Paid, Panel, Parts, PrintedLine, Quote, Row, Summary, letter_mail,
};
pub use mail::Mail;
pub(crate) use mail::lines;
pub use message::{File, Stamp, letter_message};
pub use receipt::{Event, Line, Order, Receipt, Seller, Tax, Ticket};
pub use receipt_letter::{receipt_letter, ticket_files};
pub use receipt_pdf::receipt_pdf;
pub use tickets_pdf::tickets_pdf;
pub use wording::{SOURCE_MAX_BYTES, Wording, WordingError};
pub(crate) use words::Words;

/// Why something could not be rendered. None of these passes by itself: the same facts fail again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("template: {0}")]
    Wording(#[from] WordingError),
    #[error("mail layout: {0}")]
    Layout(#[from] minijinja::Error),
    #[error("ticket code does not fit a QR symbol: {0}")]
    Qr(#[from] qrcode::types::QrError),
    #[error("ticket PDF: {0}")]
    Pdf(String),
    #[error("sum: {0}")]
    Sum(#[from] base::MoneyError),
    #[error("recipient address: {0}")]
    Recipient(#[from] lettre::address::AddressError),
    #[error("mail: {0}")]
    Message(#[from] lettre::error::Error),
}

/// Text that must stay on one line (subjects, names, titles): control characters and line breaks become single
/// spaces, so it can neither start a second header nor a second calendar property. It gives no directions either, which
/// could turn the words of others that follow.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    words
        .map(|word| word.replace(bidi::is_direction, ""))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
