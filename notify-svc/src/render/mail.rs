//! The layout of every mail, as HTML and plain text.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::letter::{Paid, Panel, Parts, Row, Summary};
use super::wording;
use super::words::Words;
use super::{Letter, RenderError, Seller, bidi, one_line};

static LAYOUT: LazyLock<Environment<'static>> = LazyLock::new(layout);

/// A rendered mail, not yet addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line without control characters.
    pub subject: String,
    pub html: String,
    pub text: String,
}

/// The ending of a template's name decides whether it escapes.
fn layout() -> Environment<'static> {
    let mut layout = Environment::new();
    layout.set_undefined_behavior(UndefinedBehavior::Strict);
    layout.set_formatter(bidi::show);
    let blocks_leave_no_lines = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("these are settings that the engine has");
    layout.set_syntax(blocks_leave_no_lines);
    for (name, source) in [
        ("mail.html", include_str!("../../templates/mail.html")),
        ("mail.txt", include_str!("../../templates/mail.txt")),
    ] {
        let added = layout.add_template(name, source);
        added.expect("the layout is part of this program and every test reads it");
    }
    layout
}

pub(super) fn lay_out(letter: &Letter, words: wording::Words) -> Result<Mail, RenderError> {
    let subject = words.subject.clone();
    let values = values(letter, words);
    let html = LAYOUT.get_template("mail.html")?;
    let text = LAYOUT.get_template("mail.txt")?;
    Ok(Mail {
        html: html.render(values.clone())?,
        text: text.render(values)?,
        subject,
    })
}

/// All texts as they are shown; the layout only places them.
fn values(letter: &Letter, words: wording::Words) -> Value {
    let (parts, seller) = (&letter.parts, &letter.seller);
    let said = Words::of(letter.language);
    let preview = match parts.lead.is_empty() {
        true => words.paragraphs.first().cloned().unwrap_or_default(),
        false => parts.lead.join(" · "),
    };
    context! {
        language => letter.language.tag(),
        subject => words.subject,
        preview,
        headline => words.headline,
        paragraphs => words.paragraphs,
        button => words.button,
        w => said_values(said),
        seller => seller_values(seller),
        ..parts_values(parts, said)
    }
}

fn parts_values(parts: &Parts, said: &'static Words) -> Value {
    let tickets: Vec<Value> = parts
        .tickets
        .iter()
        .map(|ticket| context! { category => one_line(&ticket.category), code => ticket.code.as_str() })
        .collect();
    context! {
        lead => parts.lead.clone(),
        code => parts.code.clone(),
        panel => parts.panel.as_ref().map(panel_values),
        quote => parts.quote.as_ref().map(|quote| {
            context! { title => quote.title, lines => quote.lines.clone() }
        }),
        link => parts.link.clone(),
        summary => parts.summary.as_ref().map(summary_values),
        paid => parts.paid.as_ref().map(paid_values),
        tickets_title => if tickets.len() == 1 { said.your_ticket } else { said.your_tickets },
        tickets,
        foot => parts.foot.clone(),
        event_page => parts.event_page.clone(),
        unsubscribe => parts.unsubscribe.clone(),
    }
}

fn row_values(rows: &[Row]) -> Vec<Value> {
    let rows = rows.iter();
    rows.map(|row| context! { label => row.label, text => row.text.as_str() })
        .collect()
}

fn panel_values(panel: &Panel) -> Value {
    context! {
        title => panel.title,
        lines => panel.lines.clone(),
        rows => row_values(&panel.rows),
    }
}

fn summary_values(summary: &Summary) -> Value {
    context! {
        number => summary.number.as_str(),
        title => summary.title.as_str(),
        details => summary.details.clone(),
        rows => row_values(&summary.rows),
    }
}

fn paid_values(paid: &Paid) -> Value {
    let lines: Vec<Value> = paid
        .lines
        .iter()
        .map(|line| {
            context! {
                category => line.category.as_str(),
                quantity => line.quantity,
                unit_price => line.unit_price.as_str(),
                unit_fee => line.unit_fee.as_deref(),
                total => line.total.as_str(),
            }
        })
        .collect();
    let taxes: Vec<Value> = paid
        .taxes
        .iter()
        .map(|(rate, amount)| context! { rate => rate.as_str(), amount => amount.as_str() })
        .collect();
    context! { number => paid.number.as_str(), lines, taxes, total => paid.total.as_str() }
}

fn seller_values(seller: &Seller) -> Value {
    context! {
        name => one_line(&seller.name),
        address => lines(&seller.address),
        tax_id => one_line(&seller.tax_id),
        contact => one_line(&seller.contact),
    }
}

/// The words that the layout itself says.
fn said_values(words: &Words) -> Value {
    context! {
        order => words.order,
        each_includes_fee => words.each_includes_fee,
        total_paid => words.total_paid,
        includes => words.tax_included.0,
        vat => words.tax_included.1,
        sold_by => words.sold_by,
        tax_id => words.tax_id,
        help => words.help,
        about_event => words.about_event,
        unsubscribe => words.unsubscribe,
        unsubscribe_why => words.unsubscribe_why,
        link_is_secret => words.link_is_secret,
        code_is_secret => words.code_is_secret,
        colon => words.colon,
    }
}

/// Text of several lines, each as [`one_line`] leaves it; empty ones are left out.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let lines = text.split(['\n', '\r']).map(one_line);
    lines.filter(|line| !line.is_empty()).collect()
}
