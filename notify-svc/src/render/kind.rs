//! What a person can be told, and the words for it that come with the program.

use std::sync::LazyLock;

use super::{Language, Wording};

static BUILTIN: LazyLock<Vec<Wording>> = LazyLock::new(|| {
    let all = Kind::ALL.into_iter();
    all.flat_map(|kind| Language::ALL.map(|language| kind.source(language)))
        .map(|source| Wording::read(source).expect("a test reads every template of the repository"))
        .collect()
});

/// One closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Receipt,
    Unfulfillable,
    Refunded,
    Cancelled,
    Postponed,
    Reminder,
    AwaitingTransfer,
    TicketTransferred,
    TicketNews,
    LookupCode,
    AdminInvitation,
    PasswordReset,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Receipt,
        Self::Unfulfillable,
        Self::Refunded,
        Self::Cancelled,
        Self::Postponed,
        Self::Reminder,
        Self::AwaitingTransfer,
        Self::TicketTransferred,
        Self::TicketNews,
        Self::LookupCode,
        Self::AdminInvitation,
        Self::PasswordReset,
    ];

    /// As rows name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Unfulfillable => "unfulfillable",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Postponed => "postponed",
            Self::Reminder => "reminder",
            Self::AwaitingTransfer => "awaiting_transfer",
            Self::TicketTransferred => "ticket_transferred",
            Self::TicketNews => "ticket_news",
            Self::LookupCode => "lookup_code",
            Self::AdminInvitation => "admin_invitation",
            Self::PasswordReset => "password_reset",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The template that comes with the program.
    pub fn wording(self, language: Language) -> &'static Wording {
        &BUILTIN[self as usize * Language::ALL.len() + language as usize]
    }

    /// That template as it is written.
    pub const fn source(self, language: Language) -> &'static str {
        let [en, de, fr] = self.sources();
        match language {
            Language::En => en,
            Language::De => de,
            Language::Fr => fr,
        }
    }

    const fn sources(self) -> [&'static str; Language::ALL.len()] {
        macro_rules! sources {
            ($kind:literal) => {
                [
                    include_str!(concat!("../../templates/en/", $kind, ".txt")),
                    include_str!(concat!("../../templates/de/", $kind, ".txt")),
                    include_str!(concat!("../../templates/fr/", $kind, ".txt")),
                ]
            };
        }
        match self {
            Self::Receipt => sources!("receipt"),
            Self::Unfulfillable => sources!("unfulfillable"),
            Self::Refunded => sources!("refunded"),
            Self::Cancelled => sources!("cancelled"),
            Self::Postponed => sources!("postponed"),
            Self::Reminder => sources!("reminder"),
            Self::AwaitingTransfer => sources!("awaiting_transfer"),
            Self::TicketTransferred => sources!("ticket_transferred"),
            Self::TicketNews => sources!("ticket_news"),
            Self::LookupCode => sources!("lookup_code"),
            Self::AdminInvitation => sources!("admin_invitation"),
            Self::PasswordReset => sources!("password_reset"),
        }
    }
}
