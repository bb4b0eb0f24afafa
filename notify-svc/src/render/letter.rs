//! A short mail about an order: what happened, and what becomes of the money.

use base::{Money, OrderId};
use minijinja::{Value, context};

use super::mail::{self, Mail, lines};
use super::{Event, RenderError, Seller, one_line};

/// How long a refund takes, in the words of every letter that announces one.
pub const ARRIVES: &str = "The money goes back the way you paid and usually arrives within 5 to \
                           10 working days. You need not do anything.";

/// The order a letter is about.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    pub id: OrderId,
    /// What a person reads aloud, such as `BX-7K3M9Q`.
    pub number: String,
    pub email: String,
    pub name: Option<String>,
    pub total: Money,
    /// The order page, secret included: whoever has it sees the order.
    pub link: String,
    pub event: Event,
    pub seller: Seller,
}

/// All its texts are plain; the templates escape them.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter<'a> {
    pub about: &'a About,
    /// Without the order's number, which every subject ends with.
    pub subject: String,
    pub headline: String,
    pub paragraphs: Vec<String>,
    pub quote: Option<Quote>,
    /// The last one is what the letter is about.
    pub amounts: Vec<(&'static str, Money)>,
}

/// What a person wrote, set apart from our own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub title: &'static str,
    pub lines: Vec<String>,
}

impl Quote {
    /// None where nothing was written.
    pub fn of(title: &'static str, text: &str) -> Option<Self> {
        let lines = lines(text);
        (!lines.is_empty()).then_some(Self { title, lines })
    }
}

/// # Errors
/// When a template does not fit its values, which is a bug.
pub fn letter_mail(letter: &Letter<'_>) -> Result<Mail, RenderError> {
    let subject = one_line(&format!("{} ({})", letter.subject, letter.about.number));
    mail::fill("letter", subject, values(letter))
}

/// All texts as they are shown; the templates only place them.
fn values(letter: &Letter<'_>) -> Value {
    let about = letter.about;
    let paragraphs: Vec<String> = letter
        .paragraphs
        .iter()
        .map(|text| one_line(text))
        .collect();
    let amounts = letter.amounts.iter();
    let amounts: Vec<Value> = amounts
        .map(|(label, amount)| context! { label => *label, amount => amount.to_string() })
        .collect();
    context! {
        preview => paragraphs.first().cloned().unwrap_or_default(),
        headline => one_line(&letter.headline),
        paragraphs,
        quote => letter.quote.as_ref().map(|quote| {
            context! { title => quote.title, lines => quote.lines.clone() }
        }),
        amounts,
        number => one_line(&about.number),
        name => about.name.as_deref().map(one_line).unwrap_or_default(),
        email => one_line(&about.email),
        link => about.link.as_str(),
        ..mail::event_values(&about.event, &about.seller)
    }
}
