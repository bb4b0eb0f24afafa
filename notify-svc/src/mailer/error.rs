//! Why a mail was not accepted, and whose matter that is. The reply's code decides, together with the
//! command it answers: a refused recipient is this mail's matter, a refused sender or login is not.

use std::fmt::Display;

use lettre::{Address, transport::smtp};
use proto::notify::FailureClass;

use super::dialogue::Step;

const TEXT_BYTES: usize = 1_024;
/// The service is not available, and the line is closed.
const CLOSING: u16 = 421;
/// How Postfix says that it does not relay for us, where it is told to be patient about it.
const NOT_YET: u16 = 454;
/// The mail is too large.
const TOO_LARGE: u16 = 552;
/// How servers say that they carry no mail of ours to anybody else.
const NO_RELAY: [&str; 5] = [
    "relay access denied",
    "relaying denied",
    "relay not permitted",
    "not permitted to relay",
    "unable to relay",
];

/// As rows name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The mail server could not be reached or does not know us; says nothing about the mail.
    Server,
    /// Refused for now.
    Temporary,
    /// Refused for good.
    Permanent,
    /// The line was cut after the mail had been handed over: it may have arrived.
    Unknown,
    /// It could not be made into a mail.
    Content,
    /// It came back.
    Bounce,
}

impl Class {
    const ALL: [Self; 6] = [
        Self::Server,
        Self::Temporary,
        Self::Permanent,
        Self::Unknown,
        Self::Content,
        Self::Bounce,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Unknown => "unknown",
            Self::Content => "content",
            Self::Bounce => "bounce",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    pub const fn wire(self) -> FailureClass {
        match self {
            Self::Server => FailureClass::Server,
            Self::Temporary => FailureClass::Temporary,
            Self::Permanent => FailureClass::Permanent,
            Self::Unknown => FailureClass::Unknown,
            Self::Content => FailureClass::Content,
            Self::Bounce => FailureClass::Bounce,
        }
    }
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct MailError {
    pub class: Class,
    /// Up to 1024 bytes.
    pub text: String,
    /// The SMTP reply, if there was one.
    pub reply_code: Option<i16>,
}

impl MailError {
    pub fn new(class: Class, text: &impl Display) -> Self {
        let mut text = text.to_string().replace('\0', "\u{fffd}");
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        Self {
            class,
            text,
            reply_code: None,
        }
    }

    pub fn content(why: &impl Display) -> Self {
        Self::new(Class::Content, why)
    }

    /// Of what went wrong at this step; `recipient` where the step is about one.
    pub(super) fn at(step: Step, recipient: Option<&Address>, error: &smtp::Error) -> Self {
        let code = error.status().map(u16::from);
        let class = match code {
            Some(code) => replied(step, code, recipient, &error.to_string()),
            None => silent(step),
        };
        let mut failure = Self::new(class, &with_causes(error));
        failure.reply_code = code.and_then(|code| i16::try_from(code).ok());
        failure
    }

    /// There is no line to the mail server.
    pub(super) fn unreachable(error: &std::io::Error) -> Self {
        Self::new(
            Class::Server,
            &format!("the mail server cannot be reached: {error}"),
        )
    }

    /// No answer to this step in time.
    pub(super) fn too_late(step: Step) -> Self {
        let text = format!("the mail server took too long: {}", step.what());
        Self::new(silent(step), &text)
    }
}

fn replied(step: Step, code: u16, recipient: Option<&Address>, text: &str) -> Class {
    // 53x is about our account at the server (RFC 4954), and says nothing about the mail.
    let account = (530..=539).contains(&code);
    // A relay that does not relay for us says no to each recipient, in words only.
    let refuses = code >= 500 || code == NOT_YET;
    let relay = step == Step::Recipient && refuses && denies_relay(recipient, text);
    let closing = code == CLOSING && is_about_the_system(text);
    match step {
        _ if account || relay || closing => Class::Server,
        Step::Sender if code == TOO_LARGE => Class::Permanent,
        Step::Connect | Step::Sender => Class::Server,
        Step::Recipient | Step::Data | Step::Content if code >= 500 => Class::Permanent,
        Step::Recipient | Step::Data | Step::Content => Class::Temporary,
    }
}

/// Whether a status says so (X.3.Y of RFC 3463). A line is closed on account of a recipient, too: that is counted, or one
/// mail would keep all others back.
fn is_about_the_system(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_whitespace().any(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        matches!(parts[..], ["4", "3", detail] if is_number(detail))
    })
}

/// A server quotes the recipient, whose address may hold any of these words.
fn denies_relay(recipient: Option<&Address>, text: &str) -> bool {
    let mut text = text.to_ascii_lowercase();
    if let Some(recipient) = recipient {
        for quoted in [recipient.as_ref(), recipient.domain()] {
            // A mark stays, or the words on both sides could make a phrase.
            text = text.replace(&quoted.to_ascii_lowercase(), "@");
        }
    }
    NO_RELAY.iter().any(|phrase| text.contains(phrase))
}

/// The line was cut, or nobody answered.
const fn silent(step: Step) -> Class {
    match step {
        Step::Connect | Step::Sender => Class::Server,
        Step::Recipient | Step::Data => Class::Temporary,
        Step::Content => Class::Unknown,
    }
}

/// After these the server has closed the line, or will.
pub(super) fn ends_the_line(error: &smtp::Error) -> bool {
    error.status().is_none_or(|code| u16::from(code) == CLOSING)
}

fn with_causes(error: &smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let deeper_text = deeper.to_string();
        if !text.contains(&deeper_text) {
            text = format!("{text}: {deeper_text}");
        }
        cause = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_matter_a_reply_is() {
        use Class::{Permanent, Server, Temporary};
        for (step, code, text, class) in [
            (Step::Connect, 421, "too many connections", Server),
            (Step::Connect, 535, "bad credentials", Server),
            (Step::Connect, 554, "no service for you", Server),
            (Step::Sender, 451, "come back later", Server),
            (Step::Sender, 550, "not your address", Server),
            (Step::Sender, 552, "too large", Permanent),
            (Step::Recipient, 450, "greylisted", Temporary),
            (Step::Recipient, 421, "deferred", Temporary),
            (Step::Recipient, 421, "4.7.0 too many complaints", Temporary),
            (Step::Recipient, 421, "4.3.2 shutting down", Server),
            (Step::Content, 421, "4.3.0 shutting down", Server),
            (Step::Content, 421, "rejected by 4.3.2.1", Temporary),
            (Step::Content, 451, "4.3.0 try again", Temporary),
            (Step::Recipient, 454, "4.7.1 Relay access denied", Server),
            (Step::Recipient, 454, "4.7.1 try again", Temporary),
            (Step::Recipient, 450, "relay access denied", Temporary),
            (Step::Recipient, 452, "mailbox full", Temporary),
            (Step::Recipient, 550, "no such mailbox", Permanent),
            (Step::Recipient, 554, "5.7.1 Relay access denied", Server),
            (Step::Recipient, 530, "authenticate first", Server),
            (Step::Data, 503, "no recipient", Permanent),
            (Step::Content, 451, "try again", Temporary),
            (Step::Content, 535, "login ran out", Server),
            (Step::Content, 552, "too large", Permanent),
            (
                Step::Content,
                554,
                "looks like spam from an open relay",
                Permanent,
            ),
        ] {
            let read = replied(step, code, None, text);
            assert_eq!(read, class, "{step:?} {code} {text}");
        }
    }

    #[test]
    fn a_recipient_whose_address_speaks_of_a_relay_is_refused_alone() {
        use Class::{Permanent, Server, Temporary};
        for (recipient, code, text, class) in [
            (
                "dead@privaterelay.appleid.com",
                550,
                "<dead@privaterelay.appleid.com>: no such user at PrivateRelay.appleid.com",
                Permanent,
            ),
            (
                "\"unable to relay\"@example.com",
                550,
                "<\"Unable to relay\"@example.com> does not exist",
                Permanent,
            ),
            ("a@b.example", 450, "Relay access denied", Temporary),
            ("a@b.example", 550, "the relay does not know a", Permanent),
            (
                "dead@privaterelay.appleid.com",
                554,
                "5.7.1 <dead@privaterelay.appleid.com>: Relay access denied",
                Server,
            ),
            (
                "a@b.example",
                550,
                "5.7.1 a@b.example... Relaying denied",
                Server,
            ),
            ("a@b.example", 550, "relay not permitted", Server),
            ("a@b.example", 550, "You are not permitted to relay", Server),
            ("a@b.example", 550, "5.7.54 SMTP; Unable to relay", Server),
        ] {
            let address: Address = recipient.parse().unwrap();
            let read = replied(Step::Recipient, code, Some(&address), text);
            assert_eq!(read, class, "{recipient} {code} {text}");
        }
    }

    #[test]
    fn silence_after_the_mail_was_handed_over_is_in_doubt() {
        assert_eq!(silent(Step::Connect), Class::Server);
        assert_eq!(silent(Step::Recipient), Class::Temporary);
        assert_eq!(silent(Step::Content), Class::Unknown);
    }

    #[test]
    fn words_lead_back() {
        for class in Class::ALL {
            assert_eq!(Class::from_word(class.word()), Some(class));
        }
    }

    #[test]
    fn a_text_is_cut_between_letters_and_can_be_stored() {
        let error = MailError::content(&format!("\0{}", "ü".repeat(1_000)));
        assert!(error.text.len() <= TEXT_BYTES && error.text.ends_with('ü'));
        assert!(!error.text.contains('\0'));
    }
}
