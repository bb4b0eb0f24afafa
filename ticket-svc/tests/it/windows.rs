//! Sales windows are moments; admins give them with the offset of their clocks, also on the days on
//! which those change.

use base::{EventId, Zone};
use kit::ErrorReason;
use proto::ticket::{self as api, Availability};
use testkit::keys;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

use crate::shop::{Shop, euro, event_request, refused, type_request};

/// As the edge reads it from JSON.
fn moment(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

fn stamp(text: &str) -> Option<prost_types::Timestamp> {
    Some(proto::timestamp(moment(text)))
}

fn at(stamp: &Option<prost_types::Timestamp>) -> OffsetDateTime {
    proto::timestamp_from(stamp.as_ref().unwrap()).unwrap()
}

/// On the clock of Berlin.
fn local(stamp: &Option<prost_types::Timestamp>) -> String {
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    berlin.format_long(at(stamp))
}

async fn event_at(shop: &Shop, date_time: &str) -> EventId {
    let mut request = event_request("When the clocks change");
    request.date_time = stamp(date_time);
    let made = shop.admin.clone().create_event(shop.own(request)).await;
    let made = made.unwrap().into_inner().event.unwrap();
    made.id.parse().unwrap()
}

async fn with_window(shop: &Shop, event: EventId, (from, to): (&str, &str)) -> api::TicketType {
    let mut request = type_request(event, Some(10));
    (request.sales_start, request.sales_end) = (stamp(from), stamp(to));
    shop.create_type(request).await.unwrap()
}

async fn clone_of(shop: &Shop, event: EventId, date_time: &str) -> api::CloneEventResponse {
    let request = shop.own(api::CloneEventRequest {
        event_id: event.to_string(),
        date_time: stamp(date_time),
        ..Default::default()
    });
    let made = shop.admin.clone().clone_event(request).await;
    made.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_across_the_change_of_the_clocks_is_exact() {
    let shop = Shop::open().await;
    // The clocks of Berlin jump from 02:00 to 03:00 on 28 March 2027.
    let event = event_at(&shop, "2027-03-28T20:00:00+02:00").await;
    let spring = ("2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00");
    let spring = with_window(&shop, event, spring).await;
    // Two hours on the wall, one in truth.
    let length = at(&spring.sales_end) - at(&spring.sales_start);
    assert_eq!(length, Duration::HOUR);
    assert_eq!(
        local(&spring.sales_start),
        "Sunday 28 March 2027, 01:30 CET"
    );
    assert_eq!(local(&spring.sales_end), "Sunday 28 March 2027, 03:30 CEST");
    // 02:30 comes twice on 31 October 2027; the offset says which.
    let event = event_at(&shop, "2027-10-31T20:00:00+01:00").await;
    let autumn = ("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00");
    let autumn = with_window(&shop, event, autumn).await;
    let length = at(&autumn.sales_end) - at(&autumn.sales_start);
    assert_eq!(length, Duration::HOUR);
    assert_eq!(
        local(&autumn.sales_start),
        "Sunday 31 October 2027, 02:30 CEST"
    );
    assert_eq!(
        local(&autumn.sales_end),
        "Sunday 31 October 2027, 02:30 CET"
    );
    let stored: (OffsetDateTime, OffsetDateTime) =
        sqlx::query_as("SELECT sales_start, sales_end FROM ticket_types WHERE id = $1::uuid")
            .bind(&autumn.id)
            .fetch_one(&shop.db)
            .await
            .unwrap();
    let expected = (
        datetime!(2027-10-31 0:30 UTC),
        datetime!(2027-10-31 1:30 UTC),
    );
    assert_eq!(stored, expected);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offset_decides_and_not_the_digits() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    let now = OffsetDateTime::now_utc();
    let kiritimati = time::UtcOffset::from_hms(14, 0, 0).unwrap();
    let honolulu = time::UtcOffset::from_hms(-10, 0, 0).unwrap();
    let minutes = |n: i64, zone| (now + Duration::minutes(n)).to_offset(zone);
    let open = async |from: OffsetDateTime, to: OffsetDateTime| {
        let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap();
        let edit = api::UpdateTicketTypeRequest {
            ticket_type_id: id.to_string(),
            sales_start: stamp(&text(from)),
            sales_end: stamp(&text(to)),
            ..Default::default()
        };
        let word = shop.update_type(edit).await.unwrap().availability();
        let lines = [(id, 1)];
        let hold = shop.try_hold(event, &lines, &keys::idempotency_key()).await;
        (word, hold)
    };
    // Tomorrow by the digits, and open since half an hour.
    let (word, hold) = open(minutes(-30, kiritimati), minutes(30, honolulu)).await;
    assert_eq!(word, Availability::OnSale);
    hold.unwrap();
    let (word, hold) = open(minutes(30, honolulu), minutes(60, kiritimati)).await;
    assert_eq!(word, Availability::NotYet);
    refused(hold, ErrorReason::SalesNotStarted);
    let (word, hold) = open(minutes(-60, honolulu), minutes(-30, kiritimati)).await;
    assert_eq!(word, Availability::Ended);
    refused(hold, ErrorReason::SalesEnded);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_the_hours_of_its_windows_across_the_change() {
    let shop = Shop::open().await;
    // A sale from 10:00, a fortnight before a show in winter.
    let event = event_at(&shop, "2027-03-12T20:00:00+01:00").await;
    let window = ("2027-02-26T10:00:00+01:00", "2027-03-12T18:00:00+01:00");
    with_window(&shop, event, window).await;
    let copy = clone_of(&shop, event, "2027-04-23T20:00:00+02:00").await;
    let kind = &copy.ticket_types[0];
    assert_eq!(local(&kind.sales_start), "Friday 9 April 2027, 10:00 CEST");
    assert_eq!(local(&kind.sales_end), "Friday 23 April 2027, 18:00 CEST");
    // The change lies between the opening of the sale and the show.
    let copy = clone_of(&shop, event, "2027-04-02T20:00:00+02:00").await;
    let kind = &copy.ticket_types[0];
    assert_eq!(local(&kind.sales_start), "Friday 19 March 2027, 10:00 CET");
    assert_eq!(local(&kind.sales_end), "Friday 2 April 2027, 18:00 CEST");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_takes_a_window_a_limit_and_the_stock_away() {
    let shop = Shop::open().await;
    let event = event_at(&shop, "2027-03-28T20:00:00+02:00").await;
    let window = ("2027-03-01T10:00:00+01:00", "2027-03-28T18:00:00+02:00");
    let kind = with_window(&shop, event, window).await;
    let edit = api::UpdateTicketTypeRequest {
        ticket_type_id: kind.id.clone(),
        ..Default::default()
    };
    let update = async |edit| shop.update_type(edit).await;
    // What is not mentioned stays.
    let mut price = edit.clone();
    price.price = Some(euro(100));
    let edited = update(price).await.unwrap();
    assert_eq!(
        (&edited.sales_start, &edited.sales_end, edited.total_stock),
        (&kind.sales_start, &kind.sales_end, Some(10))
    );
    let clear = |fields: &[api::ClearedField]| api::UpdateTicketTypeRequest {
        clear: fields.iter().map(|field| (*field).into()).collect(),
        ..edit.clone()
    };
    use api::ClearedField::{MaxPerGuest, SalesEnd, SalesStart, Stock, Unspecified};
    let edited = update(clear(&[SalesEnd])).await.unwrap();
    assert_eq!(
        (&edited.sales_start, edited.sales_end),
        (&kind.sales_start, None)
    );
    let all = clear(&[SalesStart, SalesEnd, Stock, MaxPerGuest]);
    let edited = update(all).await.unwrap();
    assert_eq!((edited.sales_start, edited.total_stock), (None, None));
    assert_eq!((edited.remaining, edited.max_per_guest), (None, None));

    let mut both = clear(&[Stock]);
    both.total_stock = Some(5);
    crate::shop::refused_field(update(both).await, "total_stock");
    crate::shop::refused_field(update(clear(&[Unspecified])).await, "clear");
    let mut unknown = edit.clone();
    unknown.clear = vec![99];
    crate::shop::refused_field(update(unknown).await, "clear");
    shop.close().await;
}
