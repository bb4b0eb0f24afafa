//! The programme's search by days, which are those of the concerts' own places.

use proto::ticket::{Event, ProgrammeEntry};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{facts, harness::edge, programme::with_copy};

fn concert(number: usize, title: &str, (at, zone): (OffsetDateTime, &str)) -> ProgrammeEntry {
    let event = Event {
        id: format!("0190b6a2-7c1e-7000-8000-00000002{number:04}"),
        slug: format!("concert-{number}"),
        title: title.to_owned(),
        date_time: Some(proto::timestamp(at)),
        timezone: zone.to_owned(),
        ..facts::event()
    };
    ProgrammeEntry {
        event: Some(event),
        ticket_types: Vec::new(),
    }
}

const BERLIN: &str = "Europe/Berlin";
/// 20:00 on the twelfth.
const EVE: OffsetDateTime = datetime!(2027-06-12 18:00 UTC);

/// What is played when and where, and whether that is on the thirteenth.
const CONCERTS: [(&str, OffsetDateTime, &str, bool); 8] = [
    (
        "Kiritimati, first thing",
        datetime!(2027-06-12 10:30 UTC),
        "Pacific/Kiritimati",
        true,
    ),
    ("Berlin, the eve", EVE, BERLIN, false),
    (
        "Berlin, after midnight",
        datetime!(2027-06-12 22:30 UTC),
        BERLIN,
        true,
    ),
    (
        "Berlin, before midnight",
        datetime!(2027-06-13 21:30 UTC),
        BERLIN,
        true,
    ),
    (
        "Berlin, the day after",
        datetime!(2027-06-13 22:30 UTC),
        BERLIN,
        false,
    ),
    (
        "Tokyo, the day after",
        datetime!(2027-06-13 16:00 UTC),
        "Asia/Tokyo",
        false,
    ),
    (
        "Pago Pago, late",
        datetime!(2027-06-14 10:30 UTC),
        "Pacific/Pago_Pago",
        true,
    ),
    (
        "Pago Pago, the day after",
        datetime!(2027-06-14 11:30 UTC),
        "Pacific/Pago_Pago",
        false,
    ),
];

#[tokio::test]
async fn a_day_is_one_by_the_clock_of_the_place() {
    edge(async |edge| {
        let entries = CONCERTS.iter().enumerate();
        let entries = entries.map(|(n, (title, at, zone, _))| concert(n, title, (*at, *zone)));
        // The office is asked for one more, to see that there is a copy.
        let all = entries.chain([crate::programme::entry()]).collect();
        with_copy(edge, all).await;
        let that_day = edge.page("/?from=2027-06-13&to=2027-06-13").await;
        for (title, _, _, is_shown) in CONCERTS {
            assert_eq!(that_day.contains(title), is_shown, "{title}");
        }
        // An end alone is open on the other side.
        let from = edge.page("/?from=2027-06-14").await;
        let to = edge.page("/?to=2027-06-12").await;
        for (title, eve, after) in [
            ("Berlin, the eve", true, false),
            ("Berlin, before midnight", false, false),
            ("Berlin, the day after", false, true),
            ("Pago Pago, the day after", false, true),
        ] {
            assert_eq!(
                (to.contains(title), from.contains(title)),
                (eve, after),
                "{title}"
            );
        }
        let wrong = edge.page("/?from=2027-13-01").await;
        assert!(wrong.contains("Berlin, the eve"), "{wrong}");
    })
    .await;
}

#[tokio::test]
async fn concerts_of_the_day_before_do_not_hide_those_of_the_day() {
    edge(async |edge| {
        // More than a page of them, and all are asked for with the day.
        let mut entries: Vec<_> = (0..45)
            .map(|n| {
                concert(
                    n,
                    "Berlin, the eve",
                    (EVE + Duration::seconds(n as i64), BERLIN),
                )
            })
            .collect();
        entries.push(concert(45, "Found", (EVE + Duration::DAY, BERLIN)));
        entries.push(crate::programme::entry());
        with_copy(edge, entries).await;
        let page = edge.page("/?from=2027-06-13&to=2027-06-13").await;
        assert!(
            page.contains("Found") && !page.contains("the eve"),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_page_looks_through_some_hundred_concerts_and_says_where_to_go_on() {
    edge(async |edge| {
        let entries = (0..250).map(|n| {
            concert(
                n,
                "Berlin, the eve",
                (EVE + Duration::seconds(n as i64), BERLIN),
            )
        });
        let mut entries: Vec<_> = entries.collect();
        entries.push(concert(250, "Found", (EVE + Duration::DAY, BERLIN)));
        entries.push(crate::programme::entry());
        with_copy(edge, entries).await;
        let page = edge.page("/?from=2027-06-13&to=2027-06-13").await;
        assert!(!page.contains("Found"), "{page}");
        let (_, next) = page.split_once("page=").expect("a link to the next page");
        let token = next.split(['"', '&']).next().unwrap();
        let next = edge
            .page(&format!("/?from=2027-06-13&to=2027-06-13&page={token}"))
            .await;
        assert!(next.contains("Found"), "{next}");
    })
    .await;
}
