//! What a guest can be told: one closed set, and a file per kind.

mod admin_invitation;
mod awaiting_transfer;
mod cancelled;
mod lookup_code;
mod password_reset;
mod personal;
mod postponed;
mod receipt;
mod refunded;
mod reminder;
mod samples;
mod ticket_news;
mod ticket_transferred;
mod unfulfillable;

use base::{EventId, Money, OrderId};
use prost::{DecodeError, Message as _};
use proto::event::envelope::Payload;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use crate::render::Kind;
use crate::{
    error::Error,
    facts::Facts,
    render::{self, About, File, Language, Letter, Receipt, RenderError, Row, Stamp, Wording},
};

use admin_invitation::Invitation;
use awaiting_transfer::AwaitingTransfer;
use cancelled::Cancelled;
use lookup_code::LookupCode;
use password_reset::PasswordReset;
use personal::Personal;
use postponed::Postponed;
pub(crate) use receipt::read_document;
use refunded::Refunded;
use reminder::Reminder;
pub(crate) use samples::samples;
use ticket_news::TicketNews;
use ticket_transferred::Transferred;
use unfulfillable::Unfulfillable;

impl Kind {
    /// Smaller goes first: 0 somebody waits for it, 1 news of one order, 2 news for thousands at once.
    pub const fn priority(self) -> i16 {
        match self {
            Self::Receipt | Self::TicketTransferred | Self::LookupCode | Self::PasswordReset => 0,
            Self::Unfulfillable
            | Self::Refunded
            | Self::AwaitingTransfer
            | Self::AdminInvitation => 1,
            Self::Cancelled | Self::Postponed | Self::Reminder | Self::TicketNews => 2,
        }
    }

    /// The name of the span in which it is sent.
    pub const fn span(self) -> &'static str {
        match self {
            Self::Receipt => "send receipt",
            _ => "send notice",
        }
    }

    /// Reverses [`content`].
    pub fn payload(self, content: &[u8]) -> Result<Payload, DecodeError> {
        use proto::event as e;
        Ok(match self {
            Self::Receipt => Payload::OrderPaid(e::OrderPaid::decode(content)?),
            Self::Unfulfillable => {
                Payload::OrderUnfulfillable(e::OrderUnfulfillable::decode(content)?)
            }
            Self::Refunded => Payload::OrderRefunded(e::OrderRefunded::decode(content)?),
            Self::Cancelled => Payload::OrderCancelled(e::OrderCancelled::decode(content)?),
            Self::Postponed => Payload::OrderPostponed(e::OrderPostponed::decode(content)?),
            Self::Reminder => Payload::OrderReminder(e::OrderReminder::decode(content)?),
            Self::AwaitingTransfer => {
                Payload::OrderAwaitingTransfer(e::OrderAwaitingTransfer::decode(content)?)
            }
            Self::TicketTransferred => {
                Payload::TicketTransferred(e::TicketTransferred::decode(content)?)
            }
            Self::TicketNews => Payload::TicketNews(e::TicketNews::decode(content)?),
            Self::LookupCode => {
                Payload::LookupCodeRequested(e::LookupCodeRequested::decode(content)?)
            }
            Self::AdminInvitation => Payload::AdminInvited(e::AdminInvited::decode(content)?),
            Self::PasswordReset => {
                Payload::PasswordResetRequested(e::PasswordResetRequested::decode(content)?)
            }
        })
    }
}

/// What is stored of a message: its payload, without the word for its type, which is the row's kind.
pub(crate) fn content(payload: &Payload) -> Vec<u8> {
    match payload {
        Payload::OrderPaid(paid) => paid.encode_to_vec(),
        Payload::OrderUnfulfillable(unfulfillable) => unfulfillable.encode_to_vec(),
        Payload::OrderRefunded(refunded) => refunded.encode_to_vec(),
        Payload::OrderCancelled(cancelled) => cancelled.encode_to_vec(),
        Payload::OrderPostponed(message) => message.encode_to_vec(),
        Payload::OrderReminder(message) => message.encode_to_vec(),
        Payload::OrderAwaitingTransfer(message) => message.encode_to_vec(),
        Payload::TicketTransferred(message) => message.encode_to_vec(),
        Payload::TicketNews(message) => message.encode_to_vec(),
        Payload::LookupCodeRequested(message) => message.encode_to_vec(),
        Payload::AdminInvited(message) => message.encode_to_vec(),
        Payload::PasswordResetRequested(message) => message.encode_to_vec(),
        Payload::OrderErased(message) => message.encode_to_vec(),
        Payload::HolderErased(message) => message.encode_to_vec(),
        Payload::AddressCorrected(message) => message.encode_to_vec(),
    }
}

/// What a message is about, and who is told. With kind and revision it is unique.
pub(crate) struct Subject<'a> {
    /// The order, the ticket that was handed on, or the request behind a code or an invitation.
    pub id: Uuid,
    pub order_id: Option<OrderId>,
    /// Its admins see the message; without one only superadmins do.
    pub event_id: Option<EventId>,
    pub recipient: &'a str,
}

/// A message that was checked: it can be rendered and sent.
pub(crate) enum Notice {
    Receipt { receipt: Receipt, revision: i32 },
    Unfulfillable(Unfulfillable),
    Refunded(Refunded),
    Cancelled(Cancelled),
    Postponed(Postponed),
    Reminder(Reminder),
    AwaitingTransfer(AwaitingTransfer),
    Transferred(Transferred),
    TicketNews(TicketNews),
    LookupCode(LookupCode),
    Invitation(Invitation),
    PasswordReset(PasswordReset),
}

impl Notice {
    /// A field error names what the message lacks.
    pub fn read(facts: &Facts, payload: &Payload) -> Result<Self, Error> {
        Ok(match payload {
            Payload::OrderPaid(paid) => Self::Receipt {
                receipt: receipt::read(facts, paid)?,
                revision: i32::try_from(paid.revision)
                    .map_err(|_| Error::field("revision", "is too large"))?,
            },
            Payload::OrderUnfulfillable(m) => Self::Unfulfillable(Unfulfillable::read(facts, m)?),
            Payload::OrderRefunded(m) => Self::Refunded(Refunded::read(facts, m)?),
            Payload::OrderCancelled(m) => Self::Cancelled(Cancelled::read(facts, m)?),
            Payload::OrderPostponed(m) => Self::Postponed(Postponed::read(facts, m)?),
            Payload::OrderReminder(m) => Self::Reminder(Reminder::read(facts, m)?),
            Payload::OrderAwaitingTransfer(m) => {
                Self::AwaitingTransfer(AwaitingTransfer::read(facts, m)?)
            }
            Payload::TicketTransferred(m) => Self::Transferred(Transferred::read(facts, m)?),
            Payload::TicketNews(m) => Self::TicketNews(TicketNews::read(facts, m)?),
            Payload::LookupCodeRequested(m) => Self::LookupCode(LookupCode::read(facts, m)?),
            Payload::AdminInvited(m) => Self::Invitation(Invitation::read(facts, m)?),
            Payload::PasswordResetRequested(m) => {
                Self::PasswordReset(PasswordReset::read(facts, m)?)
            }
            Payload::OrderErased(_) | Payload::HolderErased(_) | Payload::AddressCorrected(_) => {
                return Err(Error::field("payload", "is told to nobody"));
            }
        })
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Self::Receipt { .. } => Kind::Receipt,
            Self::Unfulfillable(_) => Kind::Unfulfillable,
            Self::Refunded(_) => Kind::Refunded,
            Self::Cancelled(_) => Kind::Cancelled,
            Self::Postponed(_) => Kind::Postponed,
            Self::Reminder(_) => Kind::Reminder,
            Self::AwaitingTransfer(_) => Kind::AwaitingTransfer,
            Self::Transferred(_) => Kind::TicketTransferred,
            Self::TicketNews(_) => Kind::TicketNews,
            Self::LookupCode(_) => Kind::LookupCode,
            Self::Invitation(_) => Kind::AdminInvitation,
            Self::PasswordReset(_) => Kind::PasswordReset,
        }
    }

    /// What it is about, and who is told.
    pub fn subject(&self) -> Subject<'_> {
        match self.whose() {
            Whose::Receipt(receipt) => Subject {
                id: receipt.order.id.uuid(),
                order_id: Some(receipt.order.id),
                event_id: Some(receipt.event.id),
                recipient: &receipt.order.email,
            },
            Whose::Order(about) => Subject {
                id: match self {
                    Self::Transferred(notice) => notice.ticket().id.uuid(),
                    _ => about.id.uuid(),
                },
                order_id: Some(about.id),
                event_id: Some(about.event.id),
                recipient: &about.email,
            },
            Whose::Person(personal) => Subject {
                id: personal.id,
                order_id: None,
                event_id: None,
                recipient: &personal.email,
            },
        }
    }

    pub fn language(&self) -> Language {
        match self.whose() {
            Whose::Receipt(receipt) => receipt.order.language,
            Whose::Order(about) => about.language,
            Whose::Person(personal) => personal.language,
        }
    }

    fn whose(&self) -> Whose<'_> {
        match self {
            Self::Receipt { receipt, .. } => Whose::Receipt(receipt),
            Self::Unfulfillable(notice) => Whose::Order(&notice.about),
            Self::Refunded(notice) => Whose::Order(&notice.about),
            Self::Cancelled(notice) => Whose::Order(&notice.about),
            Self::Postponed(notice) => Whose::Order(&notice.about),
            Self::Reminder(notice) => Whose::Order(&notice.about),
            Self::AwaitingTransfer(notice) => Whose::Order(&notice.about),
            Self::Transferred(notice) => Whose::Order(&notice.about),
            Self::TicketNews(notice) => Whose::Order(&notice.about),
            Self::LookupCode(notice) => Whose::Person(&notice.personal),
            Self::Invitation(notice) => Whose::Person(&notice.personal),
            Self::PasswordReset(notice) => Whose::Person(&notice.personal),
        }
    }

    /// What is told once per subject has 0.
    pub const fn revision(&self) -> i32 {
        match self {
            Self::Receipt { revision, .. } => *revision,
            Self::Refunded(notice) => notice.revision,
            Self::Postponed(notice) => notice.revision,
            Self::Reminder(notice) => notice.revision,
            Self::AwaitingTransfer(notice) => notice.revision,
            Self::Transferred(notice) => notice.revision,
            Self::TicketNews(notice) => notice.revision,
            Self::Invitation(notice) => notice.revision,
            Self::Unfulfillable(_)
            | Self::Cancelled(_)
            | Self::LookupCode(_)
            | Self::PasswordReset(_) => 0,
        }
    }

    /// Later it would only confuse: a code that no longer works, a reminder of what is over.
    pub const fn useful_until(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Reminder(notice) => Some(notice.about.event.starts_at),
            Self::TicketNews(notice) => notice.useful_until(),
            Self::AwaitingTransfer(notice) => Some(notice.pay_by),
            Self::LookupCode(notice) => Some(notice.personal.expires_at),
            Self::Invitation(notice) => Some(notice.personal.expires_at),
            Self::PasswordReset(notice) => Some(notice.personal.expires_at),
            Self::Receipt { .. }
            | Self::Unfulfillable(_)
            | Self::Refunded(_)
            | Self::Cancelled(_)
            | Self::Postponed(_)
            | Self::Transferred(_) => None,
        }
    }

    pub fn letter(&self) -> Result<Letter, RenderError> {
        Ok(match self {
            Self::Receipt { receipt, .. } => render::receipt_letter(receipt)?,
            Self::Unfulfillable(notice) => notice.letter(),
            Self::Refunded(notice) => notice.letter(),
            Self::Cancelled(notice) => notice.letter(),
            Self::Postponed(notice) => notice.letter(),
            Self::Reminder(notice) => notice.letter(),
            Self::AwaitingTransfer(notice) => notice.letter(),
            Self::Transferred(notice) => notice.letter(),
            Self::TicketNews(notice) => notice.letter(),
            Self::LookupCode(notice) => notice.letter(),
            Self::Invitation(notice) => notice.letter(),
            Self::PasswordReset(notice) => notice.letter(),
        })
    }

    /// The mail, in the words of an admin where there are some.
    pub fn email(
        &self,
        wording: Option<&Wording>,
        stamp: Stamp,
    ) -> Result<lettre::Message, RenderError> {
        let letter = self.letter()?;
        let wording = fitting(self.kind(), &letter, wording);
        render::letter_message(&letter, wording, self.files(&stamp)?, stamp)
    }

    fn files(&self, stamp: &Stamp) -> Result<Vec<File>, RenderError> {
        match self {
            Self::Receipt { receipt, .. } => render::ticket_files(receipt),
            Self::Transferred(notice) => render::ticket_files(&notice.document(stamp.date)),
            Self::Postponed(notice) => {
                Ok(vec![render::date_file(&notice.about, stamp.date, false)])
            }
            Self::Cancelled(notice) => Ok(vec![render::date_file(&notice.about, stamp.date, true)]),
            Self::TicketNews(notice) => Ok(notice.files(stamp.date)),
            _ => Ok(Vec::new()),
        }
    }
}

/// The published words if they fit these facts. If not, that must not keep a receipt from its guest:
/// then it is the words that come with the program.
pub(crate) fn fitting<'a>(
    kind: Kind,
    letter: &Letter,
    published: Option<&'a Wording>,
) -> &'a Wording {
    let builtin = kind.wording(letter.language);
    let Some(published) = published else {
        return builtin;
    };
    match published.fill(&letter.facts) {
        Ok(_) => published,
        Err(error) => {
            let (kind, language) = (kind.word(), letter.language.tag());
            tracing::error!(kind, language, %error, "template not used");
            builtin
        }
    }
}

/// To whom and about what a message speaks.
enum Whose<'a> {
    Receipt(&'a Receipt),
    Order(&'a About),
    Person(&'a Personal),
}

fn total_row(about: &About) -> Vec<Row> {
    let total = about.total.map(|total| about.money(total));
    let rows = total.map(|total| Row::new(about.words().order_total, total));
    rows.into_iter().collect()
}

/// Nothing where no money moves.
fn refund_rows(about: &About, refund: Option<Money>) -> Vec<Row> {
    let Some(refund) = refund else {
        return Vec::new();
    };
    let mut rows = total_row(about);
    rows.push(Row::new(about.words().comes_back, about.money(refund)));
    rows
}
