//! What guests read around the nights on which the clocks change: the hour on the wall of the
//! concert's place, with its word.

use proto::ticket;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    facts,
    harness::{Edge, edge},
};

fn stamp(at: OffsetDateTime) -> Option<prost_types::Timestamp> {
    Some(proto::timestamp(at))
}

/// The concert's page with another date, and a ticket type that is on sale from then on.
async fn page(edge: &Edge, show: OffsetDateTime, sale: OffsetDateTime) -> String {
    edge.stub.event.lock().unwrap().date_time = stamp(show);
    let mut kind = facts::ticket_types().remove(0);
    kind.sales_start = stamp(sale);
    kind.availability = ticket::Availability::NotYet.into();
    *edge.stub.ticket_types.lock().unwrap() = vec![kind];
    edge.page("/events/moonlight-sessions").await
}

#[tokio::test]
async fn the_page_shows_the_hours_on_the_wall() {
    edge(async |edge| {
        // From 02:00 to 03:00 at once.
        let show = datetime!(2027-03-28 18:00 UTC);
        let before = page(edge, show, datetime!(2027-03-28 00:59 UTC)).await;
        assert!(
            before.contains("Sunday 28 March 2027, 20:00 CEST"),
            "{before}"
        );
        let sale = "On sale from Sunday 28 March 2027, 01:59 CET";
        assert!(before.contains(sale), "{before}");
        let after = page(edge, show, datetime!(2027-03-28 01:00 UTC)).await;
        let sale = "On sale from Sunday 28 March 2027, 03:00 CEST";
        assert!(after.contains(sale), "{after}");
        // The hour from 02:00 to 03:00 twice.
        let show = datetime!(2027-10-31 19:00 UTC);
        let first = page(edge, show, datetime!(2027-10-31 00:30 UTC)).await;
        assert!(
            first.contains("Sunday 31 October 2027, 20:00 CET"),
            "{first}"
        );
        let sale = "On sale from Sunday 31 October 2027, 02:30 CEST";
        assert!(first.contains(sale), "{first}");
        let second = page(edge, show, datetime!(2027-10-31 01:30 UTC)).await;
        let sale = "On sale from Sunday 31 October 2027, 02:30 CET";
        assert!(second.contains(sale), "{second}");
        // Programs read the moment.
        assert!(
            second.contains("datetime=\"2027-10-31T19:00:00Z\""),
            "{second}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_postponed_concert_says_when_it_was_to_be() {
    edge(async |edge| {
        let plain = edge.page("/events/moonlight-sessions").await;
        assert!(!plain.contains("Postponed"), "{plain}");
        *edge.stub.event.lock().unwrap() = facts::postponed();
        let page = edge.page("/events/moonlight-sessions").await;
        assert!(page.contains("Saturday 19 June 2027, 20:00 CEST"), "{page}");
        let before = "Postponed. It was to be on Saturday 12 June 2027, 20:00 CEST";
        assert!(page.contains(before), "{page}");
    })
    .await;
}

#[tokio::test]
async fn no_more_can_be_chosen_than_a_guest_may_have() {
    edge(async |edge| {
        let mut kind = facts::ticket_types().remove(0);
        kind.max_per_guest = Some(2);
        *edge.stub.ticket_types.lock().unwrap() = vec![kind];
        let page = edge.page("/events/moonlight-sessions").await;
        assert!(page.contains("<option value=\"2\""), "{page}");
        assert!(!page.contains("<option value=\"3\""), "{page}");
    })
    .await;
}
