//! The receipt's mail as HTML and plain text.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{Receipt, RenderError, one_line};

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
/// When a template does not fit its values, which is a bug.
pub fn receipt_mail(receipt: &Receipt) -> Result<Mail, RenderError> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let blocks_leave_no_lines = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    templates.set_syntax(blocks_leave_no_lines);
    // The ending of its name decides whether a template escapes.
    templates.add_template("receipt.html", include_str!("../../templates/receipt.html"))?;
    templates.add_template("receipt.txt", include_str!("../../templates/receipt.txt"))?;

    let subject = one_line(&format!(
        "Your tickets for {} ({})",
        receipt.event.title, receipt.order.number
    ));
    let values = values(receipt, &subject);
    let html = templates
        .get_template("receipt.html")?
        .render(values.clone())?;
    let text = templates.get_template("receipt.txt")?.render(values)?;
    Ok(Mail {
        subject,
        html,
        text,
    })
}

/// All texts as they are shown; the templates only place them.
fn values(receipt: &Receipt, subject: &str) -> Value {
    let lines: Vec<Value> = receipt
        .lines
        .iter()
        .map(|line| {
            context! {
                category => one_line(&line.category),
                quantity => line.quantity,
                unit_price => line.unit_price.to_string(),
                line_total => line.line_total.to_string(),
            }
        })
        .collect();
    let tickets: Vec<Value> = receipt
        .tickets
        .iter()
        .map(|ticket| context! { category => one_line(&ticket.category), code => ticket.code.as_str() })
        .collect();
    context! {
        subject,
        number => one_line(&receipt.order.number),
        name => receipt.order.name.as_deref().map(one_line).unwrap_or_default(),
        email => one_line(&receipt.order.email),
        link => receipt.order.link.as_str(),
        total => receipt.order.total.to_string(),
        paid_at => receipt.event.zone.format_long(receipt.order.paid_at),
        title => one_line(&receipt.event.title),
        location => one_line(&receipt.event.location),
        starts_at => receipt.starts_at_text(),
        public_url => receipt.event.public_url.as_str(),
        seller => one_line(&receipt.seller.name),
        lines,
        tickets,
    }
}
