//! What a guest gets: the receipt as mail, ticket PDF and calendar file, and letters about what else happened.
//!
//! Everything here is a pure function of stored facts, such as a [`Receipt`]: no I/O, no clock, no randomness.
//! Rendering the same facts again gives the same bytes, so a retried mail is the same mail.

mod calendar;
mod face;
mod letter;
mod mail;
mod message;
pub mod qr;
mod receipt;
mod tickets_pdf;
mod vtimezone;

pub use calendar::calendar;
pub use letter::{ARRIVES, About, Letter, Quote, letter_mail};
pub use mail::{Mail, receipt_mail};
pub use message::{Stamp, email_message, letter_message};
pub use receipt::{Event, Line, Order, Receipt, Seller, Tax, Ticket};
pub use tickets_pdf::tickets_pdf;

/// Why something could not be rendered. None of these passes by itself: the same facts fail again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("mail template: {0}")]
    Template(#[from] minijinja::Error),
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
/// spaces, so it can neither start a second header nor a second calendar property.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
