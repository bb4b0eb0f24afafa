//! Mails as MIME messages, ready for a mail server or an `.eml` file.

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, Message};
use time::OffsetDateTime;

use super::mail::Mail;
use super::{Letter, RenderError, Wording, letter_mail, one_line};

/// What a mail's header says beside its addressee. It is the same for every attempt, so that every attempt sends
/// the same bytes and a mailbox can drop a duplicate.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub from: Mailbox,
    /// Without angle brackets: the id of its notification, and a domain.
    pub message_id: String,
    /// When the news came.
    pub date: OffsetDateTime,
}

/// A file that goes with a mail.
#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub media_type: &'static str,
    pub content: Vec<u8>,
}

/// A letter's whole mail: text and HTML, and the files that go with it.
///
/// # Errors
/// When the recipient is no mail address, or the template does not fit the facts.
pub fn letter_message(
    letter: &Letter,
    wording: &Wording,
    files: Vec<File>,
    stamp: Stamp,
) -> Result<Message, RenderError> {
    let mail = letter_mail(letter, wording)?;
    // Of the mail's own id, which nobody knew when the words inside were written: they cannot contain it.
    let id = stamp.message_id.chars();
    let id: String = id.filter(char::is_ascii_alphanumeric).collect();
    let mut head = head(stamp, &letter.email, letter.name.as_deref(), &mail.subject)?;
    if let Some(link) = letter.parts.unsubscribe.as_deref() {
        head = unsubscribe(head, link);
    }
    let texts = texts(mail, format!("boxoffice-text-{id}"));
    if files.is_empty() {
        return Ok(head.multipart(texts)?);
    }
    let whole = MultiPart::mixed()
        .boundary(format!("boxoffice-parts-{id}"))
        .multipart(texts);
    let whole = files.into_iter().fold(whole, |whole, file| {
        let part = Attachment::new(file.name);
        whole.singlepart(part.body(file.content, content_type(file.media_type)))
    });
    Ok(head.multipart(whole)?)
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
        .date(stamp.date.into())
        .header(AutoSubmitted))
}

/// The mail program shows a button, which needs one POST and no page (RFC 2369, RFC 8058).
fn unsubscribe(head: MessageBuilder, link: &str) -> MessageBuilder {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',');
    if !link.chars().all(is_plain) {
        return head;
    }
    let head = head.raw_header(raw("List-Unsubscribe", format!("<{link}>")));
    // Without TLS anybody on the way could press the button.
    if link.starts_with("https://") {
        let post = "List-Unsubscribe=One-Click".to_owned();
        head.raw_header(raw("List-Unsubscribe-Post", post))
    } else {
        head
    }
}

/// Of ASCII, as it is: an encoded or broken address would lead nowhere.
fn raw(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

/// Whoever is away need not tell us (RFC 3834).
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
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
