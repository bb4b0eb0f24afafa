//! Sends money of an order back: all that is left, some tickets, or an amount. Recording it is all that
//! happens here; from then on it counts as gone, and the driver does the rest.

use std::sync::Arc;

use base::{
    IdempotencyKey, Money, OrderId, RefundId, TicketId, TicketTypeId, body_hash, bounded_multiline,
    derived_id,
};
use kit::FieldProblem;
use proto::payment::{RefundLine, RefundOrderRequest, RefundOrderResponse};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::sight::Caller;
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    refunds::{self, RefundRow},
    saga::{self, GivenBack, NewRefund, Voids},
    store::{self, AttemptRow, Audit, By},
};

const NOTE_MAX_CHARS: usize = 500;

pub(in crate::rpc) async fn refund_order(
    app: &Arc<App>,
    request: Request<RefundOrderRequest>,
) -> Result<RefundOrderResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let order = caller.order(app, &request.order_id).await?;
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let wish = Wish::read(&request, &order.currency)?;
    let asked = Asked {
        order: order.order_id(),
        key,
        wish,
        body_hash: hash(&request),
        by: By::now(&caller.actor()),
    };
    let record = app.db.run(asked, |tx, asked| Box::pin(record(tx, asked)));
    let refund = record.await?;
    kit::failpoint!("refund.requested");
    app.nudges.refunds.notify_one();
    Ok(RefundOrderResponse {
        refund: Some(refund.detail()?),
    })
}

struct Asked {
    order: OrderId,
    key: IdempotencyKey,
    wish: Wish,
    body_hash: Vec<u8>,
    by: By,
}

struct Wish {
    what: What,
    note: String,
}

enum What {
    Everything,
    Tickets(Vec<WishedLine>),
    Amount(i64),
}

struct WishedLine {
    ticket_type: TicketTypeId,
    quantity: i32,
    ticket_ids: Vec<Uuid>,
}

impl Wish {
    fn read(request: &RefundOrderRequest, currency: &str) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let note = bounded_multiline("reason", &request.reason, 0, NOTE_MAX_CHARS);
        if let Err(error) = &note {
            problems.push(FieldProblem::new("reason", error.problem));
        }
        let what = match (&request.amount, request.lines.as_slice()) {
            (None, []) => Some(What::Everything),
            (None, lines) => read_lines(&mut problems, lines).map(What::Tickets),
            (Some(amount), []) => read_amount(&mut problems, amount, currency).map(What::Amount),
            (Some(_), _) => {
                let rule = "must be left out where there are lines";
                problems.push(FieldProblem::new("amount", rule));
                None
            }
        };
        match (what, note) {
            (Some(what), Ok(note)) if problems.is_empty() => Ok(Self { what, note }),
            _ => Err(Error::Fields(problems)),
        }
    }
}

fn read_amount(
    problems: &mut Vec<FieldProblem>,
    amount: &proto::common::Money,
    currency: &str,
) -> Option<i64> {
    let rule = match proto::money_from(Some(amount)) {
        Err(error) => error.to_string(),
        Ok(Money { amount_minor, .. }) if amount_minor <= 0 => "must be more than 0".to_owned(),
        Ok(money) if money.currency.code() != currency => format!("must be in {currency}"),
        Ok(money) => return Some(money.amount_minor),
    };
    problems.push(FieldProblem::new("amount", rule));
    None
}

fn read_lines(problems: &mut Vec<FieldProblem>, lines: &[RefundLine]) -> Option<Vec<WishedLine>> {
    let mut wished: Vec<WishedLine> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match read_line(line) {
            Ok(line) if wished.iter().any(|w| w.ticket_type == line.ticket_type) => {
                let field = format!("lines[{index}].ticket_type_id");
                problems.push(FieldProblem::new(field, "must not be named twice"));
            }
            Ok(line) => wished.push(line),
            Err((field, rule)) => {
                problems.push(FieldProblem::new(format!("lines[{index}].{field}"), rule));
            }
        }
    }
    problems.is_empty().then_some(wished)
}

fn read_line(line: &RefundLine) -> Result<WishedLine, (&'static str, String)> {
    let ticket_type = line.ticket_type_id.parse();
    let ids: Result<Vec<Uuid>, _> = line
        .ticket_ids
        .iter()
        .map(|id| id.parse().map(TicketId::uuid))
        .collect();
    let mut ticket_ids = ids.map_err(|rule: base::InvalidId| ("ticket_ids", rule.to_string()))?;
    ticket_ids.sort_unstable();
    ticket_ids.dedup();
    let named = ticket_ids.len();
    if named != line.ticket_ids.len() {
        return Err(("ticket_ids", "must not be named twice".to_owned()));
    }
    let quantity = match line.quantity as usize {
        0 => named,
        quantity if named == 0 || named == quantity => quantity,
        _ => return Err(("quantity", "must be as many as ticket_ids".to_owned())),
    };
    match i32::try_from(quantity) {
        Ok(quantity) if quantity > 0 => Ok(WishedLine {
            ticket_type: ticket_type
                .map_err(|rule: base::InvalidId| ("ticket_type_id", rule.to_string()))?,
            quantity,
            ticket_ids,
        }),
        _ => Err(("quantity", "must be 1 or more".to_owned())),
    }
}

fn hash(request: &RefundOrderRequest) -> Vec<u8> {
    let lines: Vec<String> = request
        .lines
        .iter()
        .map(|line| {
            let RefundLine {
                ticket_type_id,
                quantity,
                ticket_ids,
            } = line;
            format!("{ticket_type_id} {quantity} {}", ticket_ids.join(","))
        })
        .collect();
    let amount = request.amount.as_ref();
    let amount = amount.map(|money| format!("{} {}", money.amount_minor, money.currency));
    let lines = lines.join("\n");
    let parts = [&lines, &amount.unwrap_or_default(), &request.reason];
    body_hash(&parts.map(|part| part.as_bytes())).to_vec()
}

async fn record(tx: &mut PgConnection, asked: &Asked) -> Result<RefundRow, Error> {
    let status = saga::order_status(tx, asked.order).await?;
    let id = derived_id(&format!("orders/{}/refunds", asked.order), &asked.key).into();
    if let Some(found) = refunds::find(tx, id).await? {
        let same = found.body_hash.as_ref() == Some(&asked.body_hash);
        return if same {
            Ok(found)
        } else {
            Err(Error::KeyReused)
        };
    }
    let plan = Plan::make(tx, asked, status).await?;
    for (index, (attempt, amount_minor)) in plan.parts.iter().enumerate() {
        let refund = NewRefund {
            id: if index == 0 {
                id
            } else {
                asked.other_id(*attempt)
            },
            order: asked.order,
            attempt: *attempt,
            amount_minor: *amount_minor,
            reason: RefundReason::Requested,
            note: asked.wish.note.clone(),
            voids: plan.voids,
            body_hash: Some(asked.body_hash.clone()),
            by: asked.by.clone(),
        };
        if !saga::send_back(tx, &refund).await? {
            return Err(Error::Broken("a refund was there already"));
        }
        store::audit(tx, &audit(&refund)).await?;
    }
    for line in &plan.lines {
        saga::give_back(tx, id, asked.order, line).await?;
    }
    let refund = refunds::find(tx, id).await?;
    refund.ok_or(Error::Broken("a refund went to no payment"))
}

impl Asked {
    /// Where several payments have to give back, each has a refund of its own.
    fn other_id(&self, attempt: Uuid) -> RefundId {
        derived_id(
            &format!("orders/{}/refunds/{attempt}", self.order),
            &self.key,
        )
        .into()
    }
}

fn audit(refund: &NewRefund) -> Audit {
    Audit {
        by: refund.by.clone(),
        action: "refund.request",
        object: refund.id.to_string(),
        before: serde_json::Value::Null,
        after: json!({
            "order": refund.order.to_string(),
            "amount_minor": refund.amount_minor,
            "voids": refund.voids.word(),
            "note": refund.note,
        }),
    }
}

/// Which payment gives back how much, and which tickets become void.
struct Plan {
    parts: Vec<(Uuid, i64)>,
    voids: Voids,
    lines: Vec<GivenBack>,
}

impl Plan {
    async fn make(
        tx: &mut PgConnection,
        asked: &Asked,
        status: OrderStatus,
    ) -> Result<Self, Error> {
        let payments = payments(tx, asked.order, status).await?;
        let (wanted, lines) = match &asked.wish.what {
            What::Everything => (None, Vec::new()),
            What::Amount(amount) => (Some(*amount), Vec::new()),
            What::Tickets(wished) if status.has_tickets() => {
                let lines = lines(tx, asked.order, wished).await?;
                let amount = lines.iter().map(|line| line.amount_minor).sum();
                (Some(amount), lines)
            }
            What::Tickets(_) => return Err(Error::RefundTooLarge),
        };
        let parts = match wanted {
            None => payments.iter().map(part_of_all).collect(),
            // Its tickets are void before any of it leaves, so it is one refund.
            Some(amount) if !lines.is_empty() => whole(&payments, amount)?,
            Some(amount) => split(&payments, amount)?,
        };
        let left: i64 = payments.iter().map(AttemptRow::left_minor).sum();
        let given: i64 = parts.iter().map(|(_, amount)| amount).sum();
        Ok(match (status.has_tickets(), lines.is_empty()) {
            // No ticket is valid once all the money is back.
            (true, _) if left == given => Self {
                parts,
                voids: Voids::All,
                lines: Vec::new(),
            },
            (_, true) => Self {
                parts,
                voids: Voids::None,
                lines,
            },
            (_, false) => Self {
                parts,
                voids: Voids::Lines,
                lines,
            },
        })
    }
}

/// Those with money left, the one that paid the order first.
async fn payments(
    tx: &mut PgConnection,
    order: OrderId,
    status: OrderStatus,
) -> Result<Vec<AttemptRow>, Error> {
    match status {
        OrderStatus::Created | OrderStatus::AwaitingPayment | OrderStatus::Processing => {
            return Err(Error::OrderNotPaid);
        }
        // Its tickets are being issued, or a person decides about what came.
        OrderStatus::Paid | OrderStatus::Mismatch => return Err(Error::PaymentInProgress),
        _ => {}
    }
    let attempts = store::attempts(tx, order).await?;
    if attempts.iter().all(|attempt| attempt.captured_minor == 0) {
        return Err(Error::OrderNotPaid);
    }
    let paid = sqlx::query_scalar!("SELECT payment_ref FROM orders WHERE id = $1", order.uuid());
    let paid = paid.fetch_one(tx).await?;
    let mut left: Vec<AttemptRow> = attempts
        .into_iter()
        .filter(|attempt| attempt.left_minor() > 0)
        .collect();
    left.sort_by_key(|attempt| attempt.provider_ref != paid);
    if left.is_empty() {
        return Err(Error::RefundTooLarge);
    }
    Ok(left)
}

async fn lines(
    tx: &mut PgConnection,
    order: OrderId,
    wished: &[WishedLine],
) -> Result<Vec<GivenBack>, Error> {
    let sold = saga::sold_lines(tx, order).await?;
    let give_back = |wish: &WishedLine| {
        let line = sold
            .iter()
            .find(|line| line.ticket_type_id == wish.ticket_type.uuid());
        line.ok_or(Error::RefundTooLarge)?
            .give_back(wish.quantity, wish.ticket_ids.clone())
    };
    wished.iter().map(give_back).collect()
}

fn part_of_all(payment: &AttemptRow) -> (Uuid, i64) {
    (payment.id, payment.left_minor())
}

fn whole(payments: &[AttemptRow], amount: i64) -> Result<Vec<(Uuid, i64)>, Error> {
    let fits = payments
        .iter()
        .find(|payment| payment.left_minor() >= amount);
    match fits {
        Some(_) if amount == 0 => {
            let rule = "must name tickets that cost something";
            Err(Error::Fields(vec![FieldProblem::new("lines", rule)]))
        }
        Some(payment) => Ok(vec![(payment.id, amount)]),
        None => Err(Error::RefundTooLarge),
    }
}

fn split(payments: &[AttemptRow], amount: i64) -> Result<Vec<(Uuid, i64)>, Error> {
    let mut rest = amount;
    let mut parts = Vec::new();
    for payment in payments {
        let part = rest.min(payment.left_minor());
        if part > 0 {
            parts.push((payment.id, part));
            rest -= part;
        }
    }
    if rest > 0 {
        return Err(Error::RefundTooLarge);
    }
    Ok(parts)
}
