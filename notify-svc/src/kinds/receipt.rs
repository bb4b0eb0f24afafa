//! The order is paid and has its tickets: the receipt, with all that it is made of.

use proto::{
    ConvertError,
    event::{OrderPaid, PaidLine, PaidTicket},
};

use crate::{
    error::Error,
    facts::{self, Facts, money, parse},
    render::{Language, Line, Order, Receipt, Tax, Ticket},
};

/// For a mail. A field error names what the message lacks.
pub(super) fn read(facts: &Facts, paid: &OrderPaid) -> Result<Receipt, Error> {
    // Nobody is no recipient.
    facts::email(&paid.email)?;
    read_document(facts, paid)
}

/// For what is downloaded. A guest who was erased has no address any more, and the tickets that they handed on still
/// admit.
pub(crate) fn read_document(facts: &Facts, paid: &OrderPaid) -> Result<Receipt, Error> {
    let receipt = Receipt {
        order: order(facts, paid)?,
        event: facts.event(paid.event.as_ref())?,
        lines: paid.lines.iter().map(line).collect::<Result<_, _>>()?,
        tickets: paid.tickets.iter().map(ticket).collect::<Result<_, _>>()?,
        seller: facts.seller(paid.seller.as_ref()),
    };
    let sums = receipt.taxes();
    sums.map_err(|rule| Error::field("lines.tax", rule))?;
    Ok(receipt)
}

fn order(facts: &Facts, paid: &OrderPaid) -> Result<Order, Error> {
    let link = facts.link(&paid.sealed_order_link)?;
    let paid_at = paid.paid_at.as_ref().ok_or(ConvertError::Missing);
    let paid_at = paid_at.and_then(proto::timestamp_from);
    Ok(Order {
        id: parse("order_id", &paid.order_id)?,
        number: paid.number.clone(),
        email: match paid.email.as_str() {
            "" => String::new(),
            email => facts::email(email)?,
        },
        name: facts::name(&paid.name),
        phone: paid.phone_number.clone(),
        paid_at: paid_at.map_err(|rule| Error::field("paid_at", rule))?,
        total: money("total", paid.total.as_ref())?,
        link,
        language: Language::of(&paid.locale),
    })
}

fn line(line: &PaidLine) -> Result<Line, Error> {
    let fee = line.unit_fee.as_ref();
    let fee = fee.map(|fee| money("lines.unit_fee", Some(fee)));
    Ok(Line {
        category: line.category.clone(),
        quantity: line.quantity,
        unit_price: money("lines.unit_price", line.unit_price.as_ref())?,
        line_total: money("lines.line_total", line.line_total.as_ref())?,
        unit_fee: fee.transpose()?.filter(|fee| fee.amount_minor > 0),
        tax: tax(line)?,
    })
}

fn tax(line: &PaidLine) -> Result<Option<Tax>, Error> {
    if line.tax_rate_ppm == 0 {
        return Ok(None);
    }
    Ok(Some(Tax {
        rate_ppm: line.tax_rate_ppm,
        amount: money("lines.tax", line.tax.as_ref())?,
    }))
}

pub(super) fn ticket(ticket: &PaidTicket) -> Result<Ticket, Error> {
    Ok(Ticket {
        id: parse("tickets.id", &ticket.id)?,
        code: ticket.code.clone(),
        category: ticket.category.clone(),
    })
}
