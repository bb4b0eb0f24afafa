use kit::Failure;
use proto::{
    payment::{EventSales, SalesFigures, SalesLine},
    ticket::{EventTraffic, TypeStock},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{EventStatus, Money, broken, filled, optional_time, time_of};

/// How the sale of an event goes: what guests did in a period, and the stock as it is now.
#[derive(Serialize, ToSchema)]
pub struct EventInsights {
    pub id: String,
    pub title: String,
    pub status: EventStatus,
    #[serde(with = "time::serde::rfc3339")]
    pub date_time: OffsetDateTime,
    #[schema(example = "Europe/Berlin")]
    pub timezone: String,
    /// Of its prices.
    #[schema(example = "EUR")]
    pub currency: String,
    /// The first moment of the period; null: from the first.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub from: Option<OffsetDateTime>,
    /// The first moment after the period; null: to the last.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub to: Option<OffsetDateTime>,
    pub total: InsightFigures,
    pub conversion: Conversion,
    /// Tickets that somebody holds or pays now.
    pub held: i64,
    /// Tickets that are sold now: those of the whole sale, less what was given back.
    pub taken: i64,
    /// Of every type together, where each is limited; types that share a pool share it.
    #[schema(required)]
    pub free: Option<i64>,
    /// Every ticket type of the event, and what is of none.
    pub by_type: Vec<TypeInsights>,
    /// Pieces of the period in which something happened, the oldest first. Empty in a list.
    pub by_time: Vec<InsightsPiece>,
}

/// What happened in a period.
#[derive(Serialize, ToSchema)]
pub struct InsightFigures {
    /// Of its page and its document; answers that say "nothing has changed" are none.
    pub views: i64,
    pub holds: i64,
    /// Orders that were placed.
    pub orders: i64,
    /// Orders that got their tickets.
    pub paid_orders: i64,
    /// Tickets.
    pub sold: i64,
    pub refunded: i64,
    /// What guests paid, by currency: different currencies are never added up.
    pub revenue: Vec<Money>,
    /// What went back, at the time when that was decided.
    pub refunds: Vec<Money>,
}

/// From one step to the next, as shares of the step before; null where there is none.
#[derive(Serialize, ToSchema)]
pub struct Conversion {
    #[schema(required, example = 0.25)]
    pub views_to_holds: Option<f64>,
    #[schema(required)]
    pub holds_to_orders: Option<f64>,
    #[schema(required)]
    pub orders_to_paid: Option<f64>,
}

/// A ticket type in one currency.
#[derive(Serialize, ToSchema)]
pub struct TypeInsights {
    /// Null: money that went back for no ticket in particular, such as a part of the price; below zero it
    /// was kept of a refund.
    #[schema(required)]
    pub ticket_type_id: Option<String>,
    #[schema(required)]
    pub category: Option<String>,
    /// As it is now; null without a type, and where it has no end.
    #[schema(required)]
    pub held: Option<i64>,
    #[schema(required)]
    pub taken: Option<i64>,
    #[schema(required)]
    pub free: Option<i64>,
    #[serde(flatten)]
    pub line: InsightsLine,
}

/// What a type sold in a period.
#[derive(Clone, Serialize, ToSchema)]
pub struct InsightsLine {
    pub sold: i64,
    pub refunded: i64,
    pub revenue: Money,
    pub refunds: Money,
}

/// An hour, a day, a week or a month.
#[derive(Serialize, ToSchema)]
pub struct InsightsPiece {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    #[serde(flatten)]
    pub figures: InsightFigures,
    pub by_type: Vec<PieceOfType>,
}

#[derive(Serialize, ToSchema)]
pub struct PieceOfType {
    /// Null: of no type.
    #[schema(required)]
    pub ticket_type_id: Option<String>,
    #[serde(flatten)]
    pub line: InsightsLine,
}

impl EventInsights {
    /// What ticket-svc and payment-svc know of one event.
    pub fn merge(traffic: EventTraffic, sales: EventSales) -> Result<Self, Failure> {
        let status = EventStatus::of(traffic.status)?;
        let total = sales.total.ok_or_else(|| broken("total"))?;
        let conversion = Conversion {
            views_to_holds: share(traffic.holds, traffic.views),
            holds_to_orders: share(total.orders, traffic.holds),
            orders_to_paid: share(total.paid_orders, total.orders),
        };
        let by_time = pieces(&traffic, sales.buckets)?;
        let free: Option<Vec<i64>> = traffic.types.iter().map(|kind| kind.free).collect();
        Ok(Self {
            by_type: by_type(&traffic, &total.lines)?,
            total: figures((traffic.views, traffic.holds), &total, &traffic.currency)?,
            conversion,
            held: traffic.types.iter().map(|kind| kind.held).sum(),
            taken: traffic.types.iter().map(|kind| kind.sold).sum(),
            free: free.map(|free| free.into_iter().sum()),
            by_time,
            status,
            date_time: time_of(traffic.date_time.as_ref(), "date_time")?,
            from: optional_time(traffic.from.as_ref())?,
            to: optional_time(traffic.to.as_ref())?,
            id: traffic.event_id,
            title: traffic.title,
            timezone: traffic.timezone,
            currency: traffic.currency,
        })
    }
}

fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Both lists are in the order of time; a piece may be in either.
fn pieces(
    traffic: &EventTraffic,
    sales: Vec<proto::payment::SalesBucket>,
) -> Result<Vec<InsightsPiece>, Failure> {
    let mut all = std::collections::BTreeMap::new();
    for bucket in &traffic.buckets {
        let start = time_of(bucket.start.as_ref(), "start")?;
        all.entry(start)
            .or_insert(((0, 0), SalesFigures::default()))
            .0 = (bucket.views, bucket.holds);
    }
    for bucket in sales {
        let start = time_of(bucket.start.as_ref(), "start")?;
        let figures = bucket.figures.ok_or_else(|| broken("figures"))?;
        all.entry(start)
            .or_insert(((0, 0), SalesFigures::default()))
            .1 = figures;
    }
    let pieces = all.into_iter().map(|(start, (guests, sold))| {
        let lines = sold.lines.iter().map(|line| {
            Ok(PieceOfType {
                ticket_type_id: filled(line.ticket_type_id.clone()),
                line: line_of(line)?,
            })
        });
        Ok(InsightsPiece {
            start,
            by_type: lines.collect::<Result<_, Failure>>()?,
            figures: figures(guests, &sold, &traffic.currency)?,
        })
    });
    pieces.collect()
}

fn figures(
    (views, holds): (i64, i64),
    sold: &SalesFigures,
    currency: &str,
) -> Result<InsightFigures, Failure> {
    let nothing = || Money {
        amount_minor: 0,
        currency: currency.to_owned(),
    };
    let (mut revenue, mut refunds) = (vec![nothing()], vec![nothing()]);
    for line in &sold.lines {
        let line = line_of(line)?;
        add(&mut revenue, line.revenue);
        add(&mut refunds, line.refunds);
    }
    Ok(InsightFigures {
        views,
        holds,
        orders: sold.orders,
        paid_orders: sold.paid_orders,
        sold: sold.lines.iter().map(|line| line.sold).sum(),
        refunded: sold.lines.iter().map(|line| line.refunded).sum(),
        revenue,
        refunds,
    })
}

/// Each currency by itself.
fn add(sums: &mut Vec<Money>, money: Money) {
    match sums.iter_mut().find(|sum| sum.currency == money.currency) {
        Some(sum) => sum.amount_minor += money.amount_minor,
        None => sums.push(money),
    }
}

fn line_of(line: &SalesLine) -> Result<InsightsLine, Failure> {
    Ok(InsightsLine {
        sold: line.sold,
        refunded: line.refunded,
        revenue: Money::required(line.revenue.clone(), "revenue")?,
        refunds: Money::required(line.refunds.clone(), "refunds")?,
    })
}

/// In the order of the event; a type that sold nothing has a line, too.
fn by_type(traffic: &EventTraffic, lines: &[SalesLine]) -> Result<Vec<TypeInsights>, Failure> {
    let mut all = Vec::new();
    for kind in &traffic.types {
        let mut of_it = lines
            .iter()
            .filter(|line| line.ticket_type_id == kind.ticket_type_id)
            .map(line_of)
            .collect::<Result<Vec<_>, Failure>>()?;
        if of_it.is_empty() {
            of_it.push(nothing(&traffic.currency));
        }
        all.extend(of_it.into_iter().map(|line| of_kind(kind, line)));
    }
    let is_other = |line: &&SalesLine| {
        !traffic
            .types
            .iter()
            .any(|kind| kind.ticket_type_id == line.ticket_type_id)
    };
    for line in lines.iter().filter(is_other) {
        all.push(TypeInsights {
            ticket_type_id: filled(line.ticket_type_id.clone()),
            category: None,
            held: None,
            taken: None,
            free: None,
            line: line_of(line)?,
        });
    }
    Ok(all)
}

fn of_kind(kind: &TypeStock, line: InsightsLine) -> TypeInsights {
    TypeInsights {
        ticket_type_id: Some(kind.ticket_type_id.clone()),
        category: Some(kind.category.clone()),
        held: Some(kind.held),
        taken: Some(kind.sold),
        free: kind.free,
        line,
    }
}

fn nothing(currency: &str) -> InsightsLine {
    let money = Money {
        amount_minor: 0,
        currency: currency.to_owned(),
    };
    InsightsLine {
        sold: 0,
        refunded: 0,
        revenue: money.clone(),
        refunds: money,
    }
}
