//! A small programme to look at: three concerts, made by the same operations that admins use.

use anyhow::Context as _;
use base::{Sources, UserId};
use db::{Db, DbConfig};
use kit::Admin;
use proto::{
    common::Money,
    ticket::{CancellationRule, CreateEventRequest, CreateTicketTypeRequest, EventStatus},
};
use time::{Duration, OffsetDateTime, Time};
use tonic::Request;
use uuid::Uuid;

use crate::{
    app::App,
    config::Config,
    rpc::admin::{create_event::create_event, create_ticket_type::create_ticket_type},
};

struct Concert {
    title: &'static str,
    description: &'static str,
    location: &'static str,
    timezone: &'static str,
    currency: &'static str,
    in_days: i64,
    /// Days until the sale begins.
    sale_in_days: i64,
    types: &'static [Type],
}

struct Type {
    category: &'static str,
    price_minor: i64,
    total_stock: i64,
}

/// The first is the one on sale: it comes first in the programme too.
const PROGRAMME: [Concert; 3] = [
    Concert {
        title: "Nightjar: Songs for Small Hours",
        description: "Voice, double bass and a very old piano.\n\nDoors open an hour before; the bar \
                      stays open until the last train.",
        location: "Palác Akropolis, Kubelíkova 27, Praha",
        timezone: "Europe/Prague",
        currency: "EUR",
        in_days: 12,
        sale_in_days: 0,
        types: &[
            Type {
                category: "Standing",
                price_minor: 4_500,
                total_stock: 400,
            },
            Type {
                category: "Balcony",
                price_minor: 6_200,
                total_stock: 80,
            },
        ],
    },
    Concert {
        title: "The Paper Lanterns",
        description: "The last night of the tour, in the smallest hall of it.",
        location: "Blue Note, 12 Chapel Lane, London",
        timezone: "Europe/London",
        currency: "GBP",
        in_days: 30,
        sale_in_days: 0,
        types: &[
            Type {
                category: "Standing",
                price_minor: 2_800,
                total_stock: 3,
            },
            Type {
                category: "Gallery",
                price_minor: 3_900,
                total_stock: 0,
            },
        ],
    },
    Concert {
        title: "Aurora String Quartet",
        description: "Ravel, Shostakovich, and a new work written for this evening.",
        location: "Sala Raffaello, Via Roma 4, Bologna",
        timezone: "Europe/Rome",
        currency: "EUR",
        in_days: 60,
        sale_in_days: 7,
        types: &[Type {
            category: "Seated",
            price_minor: 3_800,
            total_stock: 250,
        }],
    },
];

/// Makes the demo programme. Doing it again on the same day makes nothing twice.
pub async fn demo_programme(config: &Config, sources: Sources) -> anyhow::Result<()> {
    let db_config = DbConfig::new(config.database_url.expose(), "demo-programme");
    let db = Db::connect(&db_config).await.context("DATABASE_URL")?;
    let today = sources.now().replace_time(Time::MIDNIGHT);
    let app = App::new(config, db, sources);
    for concert in &PROGRAMME {
        create(&app, concert, today).await?;
    }
    app.db.close().await;
    Ok(())
}

async fn create(app: &App, concert: &Concert, today: OffsetDateTime) -> anyhow::Result<()> {
    let key = format!(
        "demo-programme/{}/{}",
        today.date(),
        base::slug(concert.title)
    );
    let begins = today + Duration::days(concert.in_days) + Duration::hours(18);
    let event = CreateEventRequest {
        title: concert.title.to_owned(),
        description: concert.description.to_owned(),
        location: concert.location.to_owned(),
        date_time: Some(proto::timestamp(begins)),
        timezone: concert.timezone.to_owned(),
        currency: concert.currency.to_owned(),
        status: EventStatus::Active.into(),
        idempotency_key: key.clone(),
        payment_providers: Vec::new(),
        seller: None,
        fee: None,
        manual_payment_days: 0,
        cancellation: Some(CancellationRule {
            allowed: true,
            until_hours: 48,
            fee_ppm: 0,
        }),
    };
    let event = create_event(app, by_nobody(event))
        .await?
        .event
        .context("an event was made")?;
    let sale = today + Duration::days(concert.sale_in_days);
    for (position, kind) in concert.types.iter().enumerate() {
        let ticket_type = CreateTicketTypeRequest {
            event_id: event.id.clone(),
            category: kind.category.to_owned(),
            price: Some(Money {
                amount_minor: kind.price_minor,
                currency: concert.currency.to_owned(),
            }),
            total_stock: Some(kind.total_stock),
            sales_start: Some(proto::timestamp(sale)),
            idempotency_key: format!("{key}/{position}"),
            ..CreateTicketTypeRequest::default()
        };
        create_ticket_type(app, by_nobody(ticket_type)).await?;
    }
    Ok(())
}

/// In nobody's name: superadmins see the demo events, other admins do not.
fn by_nobody<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .extensions_mut()
        .insert(Admin::new(UserId::from(Uuid::nil()), true));
    request
}
