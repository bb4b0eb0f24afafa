//! The receipt as one MIME message, ready for a mail server or an `.eml` file.

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::{Receipt, RenderError, calendar, one_line, receipt_mail, tickets_pdf};

/// The whole mail: text and HTML, the tickets, the calendar file.
///
/// `message_id` has no angle brackets (`<order id>.<revision>@boxoffice`) and is the same for every attempt, so that a
/// mailbox can drop a duplicate. `Date` is the moment of payment and the boundaries come from the order, so that
/// every attempt sends the same bytes.
///
/// # Errors
/// When the recipient is no mail address, or a part cannot be rendered.
pub fn email_message(
    receipt: &Receipt,
    from: Mailbox,
    message_id: &str,
) -> Result<Message, RenderError> {
    let mail = receipt_mail(receipt)?;
    let address: Address = receipt.order.email.parse()?;
    let name = receipt
        .order
        .name
        .as_deref()
        .map(one_line)
        .filter(|name| !name.is_empty());
    let boundary = |part: &str| format!("boxoffice-{part}-{}", receipt.order.id);

    let alternative = MultiPart::alternative()
        .boundary(boundary("text"))
        .singlepart(SinglePart::plain(mail.text))
        .singlepart(SinglePart::html(mail.html));
    let body = MultiPart::mixed()
        .boundary(boundary("parts"))
        .multipart(alternative)
        .singlepart(
            Attachment::new("tickets.pdf".to_owned())
                .body(tickets_pdf(receipt)?, content_type("application/pdf")),
        )
        .singlepart(Attachment::new("event.ics".to_owned()).body(
            calendar(receipt).into_bytes(),
            content_type("text/calendar; charset=utf-8; method=PUBLISH"),
        ));
    let message = Message::builder()
        .from(from)
        .to(Mailbox::new(name, address))
        .subject(mail.subject)
        .message_id(Some(format!("<{}>", one_line(message_id))))
        .date(receipt.order.paid_at.into())
        .multipart(body)?;
    Ok(message)
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).expect("the content types here are literals and well formed")
}
