//! Stock and guests from ticket-svc, money from payment-svc, put together here: no query crosses services.

use axum::{
    extract::State,
    response::{IntoResponse as _, Json, Response},
};
use http::{HeaderMap, HeaderValue, header};
use kit::{Failure, FieldProblem};
use proto::{
    payment::{ReadSalesRequest, SalesPeriod},
    ticket::{EventTraffic, InsightBucket, ReadTrafficRequest},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::csv::{BYTE_ORDER_MARK, Line};
use crate::{
    app::{App, Shared},
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadQuery, Faults},
        types::{EventInsights, InsightFigures, InsightsLine, broken, moment},
    },
};

const COLUMNS: [&str; 15] = [
    "event_id",
    "event_title",
    "start",
    "ticket_type_id",
    "category",
    "views",
    "holds",
    "orders",
    "paid_orders",
    "sold",
    "refunded",
    "revenue",
    "refunds",
    "net",
    "currency",
];

/// Of 20 concerts each.
const CSV_PAGES_MAX: usize = 100;

#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// One concert, or up to 20 with commas between them. Left out: every concert that the caller may see,
    /// newest date first, without pieces of time.
    event_id: String,
    /// A day of the concert's zone, `2027-03-28`, or a time (RFC 3339), whose day, or hour, counts whole.
    from: String,
    /// A day, which is part of the period, or a time, which ends it.
    to: String,
    /// How long a piece of time is: an hour (31 days at most), a day, a week from Monday on, or a month of
    /// the concert's zone.
    #[param(value_type = Option<Bucket>, inline)]
    bucket: String,
    /// `csv`, also by `Accept: text/csv`; `json` where it is left out.
    #[param(value_type = Option<Format>, inline)]
    format: String,
    /// 1 to 20; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "for the document; services know the words")]
pub enum Bucket {
    Hour,
    Day,
    Week,
    Month,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "for the document")]
pub enum Format {
    Json,
    Csv,
}

#[derive(Serialize, ToSchema)]
pub struct Insights {
    events: Vec<EventInsights>,
    /// Of a list; empty on the last page.
    next_page_token: String,
}

/// How sales go: sold, held, free, revenue and refunds, by ticket type and time; page views, holds, orders.
///
/// Exact to the cent at every moment. Currencies stand beside each other and are never added up. Pieces of
/// time in which nothing happened are left out. As CSV each piece of time has a line of its own, and one
/// per ticket type.
#[utoipa::path(get, path = "/api/v1/admin/insights", tag = "admin", params(Wanted),
    security(("access_token" = [])),
    responses(
        (status = 200, content((Insights = "application/json"), (String = "text/csv"))),
        AdminOnly, Absent, BadQuery, Faults
    ))]
pub async fn read_insights(
    State(app): State<Shared>,
    token: AdminToken,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    if wants_csv(&wanted.format, &headers)? {
        Ok(csv(&every_page(&app, token, wanted).await?))
    } else {
        Ok(Json(fetch(&app, token, wanted).await?).into_response())
    }
}

/// A file has no pages: it begins with the one that was asked for and ends with the last.
async fn every_page(app: &App, token: AdminToken, wanted: Wanted) -> Result<Insights, Problem> {
    let mut all = fetch(app, token.clone(), wanted.clone()).await?;
    let mut pages = 1;
    while !all.next_page_token.is_empty() {
        if pages == CSV_PAGES_MAX {
            let rule = format!(
                "a file holds at most {CSV_PAGES_MAX} pages: ask for the concerts by their ids"
            );
            return Err(refused("event_id", &rule).into());
        }
        pages += 1;
        let next = Wanted {
            page_token: std::mem::take(&mut all.next_page_token),
            ..wanted.clone()
        };
        let page = fetch(app, token.clone(), next).await?;
        all.events.extend(page.events);
        all.next_page_token = page.next_page_token;
    }
    Ok(all)
}

fn wants_csv(format: &str, headers: &HeaderMap) -> Result<bool, Failure> {
    let asked = headers.get_all(header::ACCEPT).iter();
    let mut asked = asked.filter_map(|value| value.to_str().ok());
    match format {
        "" => Ok(asked.any(|value| value.contains("text/csv"))),
        "csv" => Ok(true),
        "json" => Ok(false),
        _ => Err(refused("format", "must be `json` or `csv`")),
    }
}

fn refused(field: &str, rule: &str) -> Failure {
    kit::fields(vec![FieldProblem::new(field, rule)])
}

/// Without a word the pieces are days.
fn bucket(word: &str) -> Result<InsightBucket, Failure> {
    match word {
        "" | "day" => Ok(InsightBucket::Day),
        "hour" => Ok(InsightBucket::Hour),
        "week" => Ok(InsightBucket::Week),
        "month" => Ok(InsightBucket::Month),
        _ => Err(refused(
            "bucket",
            "must be `hour`, `day`, `week` or `month`",
        )),
    }
}

async fn fetch(app: &App, token: AdminToken, wanted: Wanted) -> Result<Insights, Problem> {
    let bucket = bucket(&wanted.bucket)?;
    let ids = wanted.event_id.split(',').map(str::trim);
    let event_ids: Vec<String> = ids.filter(|id| !id.is_empty()).map(str::to_owned).collect();
    let in_pieces = !event_ids.is_empty();
    let request = token.clone().request(ReadTrafficRequest {
        event_ids,
        from: wanted.from,
        to: wanted.to,
        bucket: bucket.into(),
        page_size: wanted.page_size,
        page_token: wanted.page_token,
    });
    let traffic = app
        .upstreams
        .traffic()
        .read_traffic(request)
        .await?
        .into_inner();
    let next_page_token = traffic.next_page_token;
    if traffic.events.is_empty() {
        let events = Vec::new();
        return Ok(Insights {
            events,
            next_page_token,
        });
    }
    let request = token.request(ReadSalesRequest {
        events: traffic.events.iter().map(period).collect(),
        bucket: match bucket {
            _ if !in_pieces => 0,
            // The same numbers in both contracts.
            bucket => bucket.into(),
        },
    });
    let sales = app
        .upstreams
        .sales()
        .read_sales(request)
        .await?
        .into_inner();
    if sales.events.len() != traffic.events.len() {
        return Err(broken("list of sales").into());
    }
    let events = traffic.events.into_iter().zip(sales.events);
    let events = events.map(|(traffic, sales)| EventInsights::merge(traffic, sales));
    Ok(Insights {
        events: events.collect::<Result<_, Failure>>()?,
        next_page_token,
    })
}

fn period(event: &EventTraffic) -> SalesPeriod {
    SalesPeriod {
        event_id: event.event_id.clone(),
        timezone: event.timezone.clone(),
        from: event.from,
        to: event.to,
    }
}

fn csv(insights: &Insights) -> Response {
    let mut text = String::from(BYTE_ORDER_MARK);
    let mut head = Line::default();
    COLUMNS.iter().for_each(|column| head.fact(column));
    text.push_str(&head.end());
    for event in &insights.events {
        rows_of(event, &mut text);
    }
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"insights.csv\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Each piece of time, or, in a list, the whole period.
fn rows_of(event: &EventInsights, text: &mut String) {
    let category = |id: &Option<String>| {
        let kind = event.by_type.iter().find(|kind| kind.ticket_type_id == *id);
        kind.and_then(|kind| kind.category.clone())
            .unwrap_or_default()
    };
    if event.by_time.is_empty() {
        text.push_str(&row_of_guests(event, "", &event.total));
        for kind in &event.by_type {
            let name = category(&kind.ticket_type_id);
            text.push_str(&row_of_type(
                event,
                "",
                (&kind.ticket_type_id, &name),
                &kind.line,
            ));
        }
    }
    for piece in &event.by_time {
        let start = moment::text(piece.start);
        text.push_str(&row_of_guests(event, &start, &piece.figures));
        for kind in &piece.by_type {
            let name = category(&kind.ticket_type_id);
            text.push_str(&row_of_type(
                event,
                &start,
                (&kind.ticket_type_id, &name),
                &kind.line,
            ));
        }
    }
}

/// What is of no ticket type: views, holds and orders.
fn row_of_guests(event: &EventInsights, start: &str, figures: &InsightFigures) -> String {
    let mut line = Line::default();
    line.fact(&event.id);
    line.text(&event.title);
    line.fact(start);
    line.fact("");
    line.fact("");
    for count in [
        figures.views,
        figures.holds,
        figures.orders,
        figures.paid_orders,
    ] {
        line.fact(&count.to_string());
    }
    (0..6).for_each(|_| line.fact(""));
    line.end()
}

fn row_of_type(
    event: &EventInsights,
    start: &str,
    (id, category): (&Option<String>, &str),
    sold: &InsightsLine,
) -> String {
    let currency = &sold.revenue.currency;
    let mut net = sold.revenue.clone();
    net.amount_minor -= sold.refunds.amount_minor;
    let mut line = Line::default();
    line.fact(&event.id);
    line.text(&event.title);
    line.fact(start);
    line.fact(id.as_deref().unwrap_or_default());
    line.text(category);
    (0..4).for_each(|_| line.fact(""));
    line.fact(&sold.sold.to_string());
    line.fact(&sold.refunded.to_string());
    line.fact(&sold.revenue.decimal(currency));
    line.fact(&sold.refunds.decimal(currency));
    line.fact(&net.decimal(currency));
    line.fact(currency);
    line.end()
}
