//! Mails as HTML and plain text, from the templates.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{Event, Receipt, RenderError, Seller, one_line};

/// Every template. The ending of its name decides whether it escapes.
const TEMPLATES: [(&str, &str); 5] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("receipt.html", include_str!("../../templates/receipt.html")),
    ("receipt.txt", include_str!("../../templates/receipt.txt")),
    ("letter.html", include_str!("../../templates/letter.html")),
    ("letter.txt", include_str!("../../templates/letter.txt")),
];

/// A rendered mail, not yet addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line without control characters.
    pub subject: String,
    pub html: String,
    pub text: String,
}

/// The mail a guest gets for a paid order: when, where, what it cost, the way to the order page, the tickets' codes.
///
/// # Errors
/// When a template does not fit its values, which is a bug, or the taxes have no sum.
pub fn receipt_mail(receipt: &Receipt) -> Result<Mail, RenderError> {
    let subject = one_line(&format!(
        "Your tickets for {} ({})",
        receipt.event.title, receipt.order.number
    ));
    fill("receipt", subject, values(receipt)?)
}

/// Fills both templates of a mail.
pub(super) fn fill(name: &str, subject: String, values: Value) -> Result<Mail, RenderError> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let blocks_leave_no_lines = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    templates.set_syntax(blocks_leave_no_lines);
    for (name, source) in TEMPLATES {
        templates.add_template(name, source)?;
    }
    let values = context! { subject => subject.as_str(), ..values };
    let html = templates.get_template(&format!("{name}.html"))?;
    let text = templates.get_template(&format!("{name}.txt"))?;
    Ok(Mail {
        html: html.render(values.clone())?,
        text: text.render(values)?,
        subject,
    })
}

/// All texts as they are shown; the templates only place them.
fn values(receipt: &Receipt) -> Result<Value, RenderError> {
    let lines: Vec<Value> = receipt
        .lines
        .iter()
        .map(|line| {
            context! {
                category => one_line(&line.category),
                quantity => line.quantity,
                unit_price => line.unit_price.to_string(),
                unit_fee => line.unit_fee.map(|fee| fee.to_string()),
                line_total => line.line_total.to_string(),
            }
        })
        .collect();
    let taxes: Vec<Value> = receipt
        .taxes()?
        .iter()
        .map(|tax| context! { rate => tax.percent(), amount => tax.amount.to_string() })
        .collect();
    let tickets: Vec<Value> = receipt
        .tickets
        .iter()
        .map(|ticket| context! { category => one_line(&ticket.category), code => ticket.code.as_str() })
        .collect();
    Ok(context! {
        preview => format!("{} · {}", receipt.event.starts_at_text(), one_line(&receipt.event.location)),
        number => one_line(&receipt.order.number),
        name => receipt.order.name.as_deref().map(one_line).unwrap_or_default(),
        email => one_line(&receipt.order.email),
        link => receipt.order.link.as_str(),
        total => receipt.order.total.to_string(),
        paid_at => receipt.event.zone.format_long(receipt.order.paid_at),
        lines,
        taxes,
        tickets,
        ..event_values(&receipt.event, &receipt.seller)
    })
}

/// What every mail says of its event and its seller.
pub(super) fn event_values(event: &Event, seller: &Seller) -> Value {
    context! {
        title => one_line(&event.title),
        location => one_line(&event.location),
        starts_at => event.starts_at_text(),
        public_url => event.public_url.as_str(),
        seller => context! {
            name => one_line(&seller.name),
            address => lines(&seller.address),
            tax_id => one_line(&seller.tax_id),
            contact => one_line(&seller.contact),
        },
    }
}

/// Text of several lines, each as [`one_line`] leaves it; empty ones are left out.
pub(super) fn lines(text: &str) -> Vec<String> {
    let lines = text.split(['\n', '\r']).map(one_line);
    lines.filter(|line| !line.is_empty()).collect()
}
