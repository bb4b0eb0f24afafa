//! A mail to one person: the words of its kind's template, and what the layout sets around them.

use base::{Money, OrderId, Zone};
use minijinja::{Value, context};
use time::OffsetDateTime;

use super::mail::{self, Mail, lines};
use super::words::Words;
use super::{Event, Language, RenderError, Seller, Ticket, Wording, one_line};

/// The order a letter is about.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    pub id: OrderId,
    /// What a person reads aloud, such as `BX-7K3M9Q`.
    pub number: String,
    pub email: String,
    pub name: Option<String>,
    pub language: Language,
    /// None where the money is not the reader's.
    pub total: Option<Money>,
    /// The order page, secret included: whoever has it sees the order.
    pub link: String,
    /// Ends every message about the order but receipts.
    pub unsubscribe: Option<String>,
    pub event: Event,
    pub seller: Seller,
}

/// All its texts are plain; the layout escapes them.
#[derive(Debug, Clone)]
pub struct Letter {
    pub email: String,
    pub name: Option<String>,
    pub language: Language,
    pub seller: Seller,
    /// What the template of its kind may name: texts of one line, numbers, and nothing else.
    pub facts: Value,
    pub parts: Parts,
}

/// What the layout shows where it is there.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Lines under the headline: when and where.
    pub lead: Vec<String>,
    /// To be typed in somewhere; stands above the words.
    pub code: Option<String>,
    pub panel: Option<Panel>,
    pub quote: Option<Quote>,
    /// Where the button leads.
    pub link: Option<String>,
    pub summary: Option<Summary>,
    pub paid: Option<Paid>,
    pub tickets: Vec<Ticket>,
    /// The last lines, such as to whom it was sent.
    pub foot: Vec<String>,
    pub event_page: Option<String>,
    pub unsubscribe: Option<String>,
}

/// Something to copy, such as a bank account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    pub title: &'static str,
    pub lines: Vec<String>,
    pub rows: Vec<Row>,
}

/// What a person wrote, set apart from our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub title: &'static str,
    pub lines: Vec<String>,
}

/// The order and its event in a table; the last row is what the letter is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub number: String,
    pub title: String,
    pub details: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub label: &'static str,
    pub text: String,
}

/// What was paid for, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    pub number: String,
    pub lines: Vec<PrintedLine>,
    pub total: String,
    pub taxes: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedLine {
    pub category: String,
    pub quantity: u32,
    pub unit_price: String,
    pub unit_fee: Option<String>,
    pub total: String,
}

impl Quote {
    /// None where nothing was written.
    pub fn of(title: &'static str, text: &str) -> Option<Self> {
        let lines = lines(text);
        (!lines.is_empty()).then_some(Self { title, lines })
    }
}

impl Row {
    pub fn new(label: &'static str, text: String) -> Self {
        Self { label, text }
    }
}

impl About {
    pub fn words(&self) -> &'static Words {
        Words::of(self.language)
    }

    pub fn money(&self, money: Money) -> String {
        self.language.money(money)
    }

    pub fn starts_at(&self) -> String {
        self.moment(self.event.starts_at)
    }

    /// A moment by the clock of the event's place.
    pub fn moment(&self, at: OffsetDateTime) -> String {
        moment(self.language, &self.event.zone, at)
    }

    /// What the template of every letter about an order may name.
    pub fn facts(&self) -> Value {
        context! {
            name => self.name.as_deref().map(one_line).unwrap_or_default(),
            email => one_line(&self.email),
            number => one_line(&self.number),
            title => one_line(&self.event.title),
            location => one_line(&self.event.location),
            starts_at => self.starts_at(),
            seller => one_line(&self.seller.name),
        }
    }

    /// Everything that such a letter shows but its rows.
    pub fn parts(&self) -> Parts {
        let words = self.words();
        let event = &self.event;
        // The page of an erased guest went to nobody.
        let sent_to = (!self.email.is_empty())
            .then(|| format!("{} {}", words.sent_to, one_line(&self.email)));
        Parts {
            link: Some(self.link.clone()),
            summary: Some(Summary {
                number: one_line(&self.number),
                title: one_line(&event.title),
                details: vec![self.starts_at(), one_line(&event.location)],
                rows: Vec::new(),
            }),
            foot: sent_to.into_iter().collect(),
            event_page: Some(event.public_url.clone()),
            unsubscribe: self.unsubscribe.clone(),
            ..Parts::default()
        }
    }

    /// Under the headline of a letter that is about just that.
    pub fn lead(&self) -> Vec<String> {
        vec![self.starts_at(), one_line(&self.event.location)]
    }

    /// The same with a lead in place of the table.
    pub fn parts_with_lead(&self) -> Parts {
        let mut parts = self.parts();
        let number = format!("{} {}", self.words().order, one_line(&self.number));
        parts.foot.push(number);
        Parts {
            lead: self.lead(),
            summary: None,
            ..parts
        }
    }

    pub fn letter(&self, facts: Value, parts: Parts) -> Letter {
        Letter {
            email: self.email.clone(),
            name: self.name.clone(),
            language: self.language,
            seller: self.seller.clone(),
            facts: context! { ..facts, ..self.facts() },
            parts,
        }
    }
}

/// In place of what is nobody's but the reader's.
const HIDDEN: &str = "•••";

impl Letter {
    /// As somebody else may see it: whoever has a link of it acts as its reader, and a code admits or signs in.
    /// Nothing else in a letter is secret, and no template can name these.
    pub fn without_secrets(mut self) -> Self {
        let parts = &mut self.parts;
        let secrets = [&mut parts.link, &mut parts.code, &mut parts.unsubscribe];
        let codes = parts.tickets.iter_mut().map(|ticket| &mut ticket.code);
        for secret in secrets.into_iter().flatten().chain(codes) {
            HIDDEN.clone_into(secret);
        }
        self
    }
}

impl Parts {
    pub fn rows(mut self, rows: Vec<Row>) -> Self {
        if let Some(summary) = &mut self.summary {
            summary.rows = rows;
        }
        self
    }
}

/// A moment whose time is not broken at the end of a line.
pub(crate) fn moment(language: Language, zone: &Zone, at: OffsetDateTime) -> String {
    let text = language.moment(zone, at);
    match language {
        Language::En => text,
        Language::De => text.replace(" Uhr ", "\u{a0}Uhr\u{a0}"),
        Language::Fr => text.replace(" h ", "\u{a0}h\u{a0}"),
    }
}

/// # Errors
/// When the template does not fit the facts; those in the repository do.
pub fn letter_mail(letter: &Letter, wording: &Wording) -> Result<Mail, RenderError> {
    let words = wording.fill(&letter.facts)?;
    mail::lay_out(letter, words)
}
