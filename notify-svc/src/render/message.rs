//! Mails as MIME messages, ready for a mail server or an `.eml` file.

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};
use time::OffsetDateTime;

use super::mail::Mail;
use super::{
    Letter, Receipt, RenderError, calendar, letter_mail, one_line, receipt_mail, tickets_pdf,
};

/// What a letter's header says beside its addressee. It is the same for every attempt, so that every attempt sends
/// the same bytes and a mailbox can drop a duplicate.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub from: Mailbox,
    /// Without angle brackets: `<notification id>@boxoffice`.
    pub message_id: String,
    /// When the news came.
    pub date: OffsetDateTime,
}

/// The receipt's whole mail: text and HTML, the tickets, the calendar file.
///
/// `message_id` has no angle brackets and is the same for every attempt. `Date` is the moment of payment and the
/// boundaries come from the order, so that every attempt sends the same bytes.
///
/// # Errors
/// When the recipient is no mail address, or a part cannot be rendered.
pub fn email_message(
    receipt: &Receipt,
    from: Mailbox,
    message_id: &str,
) -> Result<Message, RenderError> {
    let mail = receipt_mail(receipt)?;
    let boundary = |part: &str| format!("boxoffice-{part}-{}", receipt.order.id);
    let stamp = Stamp {
        from,
        message_id: message_id.to_owned(),
        date: receipt.order.paid_at,
    };
    let order = &receipt.order;
    let head = head(stamp, &order.email, order.name.as_deref(), &mail.subject)?;
    let body = MultiPart::mixed()
        .boundary(boundary("parts"))
        .multipart(texts(mail, boundary("text")))
        .singlepart(
            Attachment::new("tickets.pdf".to_owned())
                .body(tickets_pdf(receipt)?, content_type("application/pdf")),
        )
        .singlepart(Attachment::new("event.ics".to_owned()).body(
            calendar(receipt).into_bytes(),
            content_type("text/calendar; charset=utf-8; method=PUBLISH"),
        ));
    Ok(head.multipart(body)?)
}

/// A letter's whole mail: text and HTML.
///
/// # Errors
/// When the recipient is no mail address.
pub fn letter_message(letter: &Letter<'_>, stamp: Stamp) -> Result<Message, RenderError> {
    let mail = letter_mail(letter)?;
    // Of the mail's own id, which nobody knew when the words inside were written: they cannot contain it.
    let id = stamp.message_id.chars();
    let id: String = id.filter(char::is_ascii_alphanumeric).collect();
    let about = letter.about;
    let head = head(stamp, &about.email, about.name.as_deref(), &mail.subject)?;
    Ok(head.multipart(texts(mail, format!("boxoffice-text-{id}")))?)
}

fn head(
    stamp: Stamp,
    email: &str,
    name: Option<&str>,
    subject: &str,
) -> Result<MessageBuilder, RenderError> {
    let address: Address = email.parse()?;
    let name = name.map(one_line).filter(|name| !name.is_empty());
    Ok(Message::builder()
        .from(stamp.from)
        .to(Mailbox::new(name, address))
        .subject(subject)
        .message_id(Some(format!("<{}>", one_line(&stamp.message_id))))
        .date(stamp.date.into()))
}

fn texts(mail: Mail, boundary: String) -> MultiPart {
    MultiPart::alternative()
        .boundary(boundary)
        .singlepart(SinglePart::plain(mail.text))
        .singlepart(SinglePart::html(mail.html))
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).expect("the content types here are literals and well formed")
}
