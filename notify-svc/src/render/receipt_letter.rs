//! The receipt as a mail: when, where, what it cost, the way to the order page, the tickets.

use minijinja::{Value, context};

use super::{
    About, File, Letter, Paid, Parts, PrintedLine, Receipt, RenderError, calendar, one_line,
    tickets_pdf,
};

/// What goes with a mail that brings tickets.
///
/// # Errors
/// When a ticket cannot be drawn.
pub fn ticket_files(receipt: &Receipt) -> Result<Vec<File>, RenderError> {
    Ok(vec![
        File {
            name: "tickets.pdf".to_owned(),
            media_type: "application/pdf",
            content: tickets_pdf(receipt)?,
        },
        File {
            name: "event.ics".to_owned(),
            media_type: "text/calendar; charset=utf-8; method=PUBLISH",
            content: calendar(receipt).into_bytes(),
        },
    ])
}

/// # Errors
/// When the taxes have no sum.
pub fn receipt_letter(receipt: &Receipt) -> Result<Letter, RenderError> {
    let order = &receipt.order;
    let about = About {
        id: order.id,
        number: order.number.clone(),
        email: order.email.clone(),
        name: order.name.clone(),
        language: order.language,
        total: Some(order.total),
        link: order.link.clone(),
        // Receipts always come.
        unsubscribe: None,
        event: receipt.event.clone(),
        seller: receipt.seller.clone(),
    };
    let paid_at = about.moment(order.paid_at);
    let mut parts = about.parts();
    parts.foot.push(format!("{} {paid_at}", about.words().paid));
    let parts = Parts {
        lead: about.lead(),
        summary: None,
        paid: Some(paid(receipt)?),
        tickets: receipt.tickets.clone(),
        ..parts
    };
    Ok(about.letter(facts_of(receipt, &paid_at), parts))
}

fn facts_of(receipt: &Receipt, paid_at: &str) -> Value {
    let order = &receipt.order;
    context! {
        total => order.language.money(order.total),
        paid_at => paid_at,
        tickets => receipt.tickets.len(),
    }
}

/// The lines, sums and taxes as they were stored.
fn paid(receipt: &Receipt) -> Result<Paid, RenderError> {
    let language = receipt.order.language;
    let lines = receipt.lines.iter().map(|line| PrintedLine {
        category: one_line(&line.category),
        quantity: line.quantity,
        unit_price: language.money(line.unit_price),
        unit_fee: line.unit_fee.map(|fee| language.money(fee)),
        total: language.money(line.line_total),
    });
    let taxes = receipt.taxes()?.into_iter();
    Ok(Paid {
        number: one_line(&receipt.order.number),
        lines: lines.collect(),
        total: language.money(receipt.order.total),
        taxes: taxes
            .map(|tax| (language.percent(tax.rate_ppm), language.money(tax.amount)))
            .collect(),
    })
}
