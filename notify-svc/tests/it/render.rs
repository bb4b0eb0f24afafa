//! The receipt's documents, checked by reading them back.

#![expect(clippy::unwrap_used, reason = "the helpers are test code, too")]

use base::{Currency, EventId, Money, OrderId, TicketId};
use lettre::message::Mailbox;
use notify_svc::render::{
    Event, Kind, Language, Line, Mail, Order, Receipt, RenderError, Seller, Stamp, Tax, Ticket,
    calendar, letter_mail, letter_message, qr, receipt_letter, ticket_files, tickets_pdf,
};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

/// As long as a signed ticket code, in its alphabet.
pub const LONG_CODE: &str = "BX1:6BFOXN*TS0BI$ZD-PHKJ7.N2 G+2QW%HR3/Z8LK:MA1*NN7O4V KQ5$P0XJ-8WY3TT.E6/\
D2%U+AHS9 C4BB:VZ1LM*O7G0FQ$KR3-NE5.I8W+TX%J2/Y6AUD";

/// In the words that come with the program.
fn receipt_mail(receipt: &Receipt) -> Result<Mail, RenderError> {
    let wording = Kind::Receipt.wording(receipt.order.language);
    letter_mail(&receipt_letter(receipt)?, wording)
}

fn email_message(
    receipt: &Receipt,
    from: Mailbox,
    message_id: &str,
) -> Result<lettre::Message, RenderError> {
    let stamp = Stamp {
        from,
        message_id: message_id.to_owned(),
        date: receipt.order.paid_at,
    };
    let wording = Kind::Receipt.wording(receipt.order.language);
    let files = ticket_files(receipt)?;
    letter_message(&receipt_letter(receipt)?, wording, files, stamp)
}

fn eur(amount_minor: i64) -> Money {
    Money {
        amount_minor,
        currency: "EUR".parse::<Currency>().unwrap(),
    }
}

pub fn receipt() -> Receipt {
    let ticket = |id: u128, code: &str, category: &str| Ticket {
        id: TicketId::from(Uuid::from_u128(id)),
        code: code.to_owned(),
        category: category.to_owned(),
    };
    let line = |category: &str, quantity, price, total| Line {
        category: category.to_owned(),
        quantity,
        unit_price: eur(price),
        line_total: eur(total),
        unit_fee: None,
        tax: None,
    };
    Receipt {
        order: Order {
            id: OrderId::from(Uuid::from_u128(7)),
            number: "BX-7K3M9Q".to_owned(),
            email: "zofia@example.com".to_owned(),
            name: Some("Zofia Wójcik".to_owned()),
            phone: "+48 601 000 000".to_owned(),
            paid_at: datetime!(2026-05-02 09:15:30 UTC),
            total: eur(14_000),
            link: "https://tickets.example/o/00000000-0000-0000-0000-000000000007/s3cr3t"
                .to_owned(),
            language: Language::En,
        },
        event: Event {
            id: EventId::from(Uuid::from_u128(5)),
            title: "Nightjar Live".to_owned(),
            location: "Lucerna Music Bar, Vodičkova 36, Praha".to_owned(),
            description: "Doors at seven; support: Žalud, and friends\\guests.\nNo bags."
                .to_owned(),
            starts_at: datetime!(2026-06-12 18:00 UTC),
            zone: "Europe/Prague".parse().unwrap(),
            version: 4,
            public_url: "https://tickets.example/events/nightjar-live".to_owned(),
        },
        lines: vec![
            line("Standing", 2, 4_500, 9_000),
            line("Balcony", 1, 5_000, 5_000),
        ],
        tickets: vec![
            ticket(1, LONG_CODE, "Standing"),
            ticket(2, "BX1:SECOND", "Standing"),
            ticket(3, "BX1:THIRD", "Balcony"),
        ],
        seller: Seller {
            name: "Nightjar Concerts s.r.o.".to_owned(),
            address: String::new(),
            tax_id: String::new(),
            contact: String::new(),
        },
    }
}

/// The matrix as a camera would see it, `scale` pixels per module.
fn scan(matrix: &qr::Matrix, scale: usize) -> String {
    let side = matrix.full_width() * scale;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
        if matrix.is_dark(x / scale, y / scale) {
            0
        } else {
            255
        }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one symbol is seen");
    grids[0].decode().unwrap().1
}

fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    text.matches("/Type /Page\n").count() + text.matches("/Type/Page/").count()
}

/// Content lines with their folds undone.
fn unfolded(ics: &str) -> Vec<String> {
    ics.replace("\r\n ", "")
        .split_terminator("\r\n")
        .map(str::to_owned)
        .collect()
}

fn starting(at: OffsetDateTime, zone: &str) -> Receipt {
    let mut receipt = receipt();
    receipt.event.starts_at = at;
    receipt.event.zone = zone.parse().unwrap();
    receipt
}

#[test]
fn a_qr_symbol_reads_back_as_the_code() {
    for code in [LONG_CODE, "BX1:SECOND", "a", "Žluťoučký 🎟"] {
        let matrix = qr::Matrix::of(code).unwrap();
        assert_eq!(scan(&matrix, 4), code);
    }
}

#[test]
fn the_runs_that_are_drawn_are_the_modules_and_leave_the_quiet_zone_empty() {
    let matrix = qr::Matrix::of(LONG_CODE).unwrap();
    let width = matrix.full_width();
    let mut drawn = vec![false; width * width];
    for (x, y, length) in matrix.runs() {
        drawn[y * width + x..y * width + x + length].fill(true);
    }
    for y in 0..width {
        for x in 0..width {
            assert_eq!(drawn[y * width + x], matrix.is_dark(x, y), "module {x},{y}");
            let quiet = [x, y].iter().any(|&at| at < 4 || at >= width - 4);
            assert!(
                !(quiet && drawn[y * width + x]),
                "ink in the quiet zone at {x},{y}"
            );
        }
    }
}

#[test]
fn the_pdf_has_one_page_per_ticket() {
    let mut receipt = receipt();
    assert_eq!(pages(&tickets_pdf(&receipt).unwrap()), 3);
    receipt.tickets.truncate(1);
    assert_eq!(pages(&tickets_pdf(&receipt).unwrap()), 1);
}

#[test]
fn an_order_without_tickets_has_no_pdf() {
    let mut receipt = receipt();
    receipt.tickets.clear();
    assert!(tickets_pdf(&receipt).is_err());
}

#[test]
fn a_code_too_long_for_any_symbol_is_an_error() {
    let mut receipt = receipt();
    receipt.tickets[0].code = "x".repeat(5_000);
    assert!(tickets_pdf(&receipt).is_err());
}

#[test]
fn odd_texts_render_everywhere() {
    let words = "An Evening of Very Long Names with the Philharmonic Orchestra and All of Its ";
    let titles = [
        format!("{words}{words}")
            .chars()
            .take(120)
            .collect::<String>(),
        "W".repeat(120),
        "🎸🎸🎸".to_owned(),
        String::new(),
        "מופע חי".to_owned(),
        "e\u{301}\u{302}".repeat(60),
    ];
    let names = [
        "Nguyễn Thị Ánh Tuyết",
        "Zażółć Gęślą-Jaźń",
        "Ελένη Παπαδοπούλου",
        "Ольга Щукина",
        "",
    ];
    for title in &titles {
        for name in names {
            let mut receipt = receipt();
            receipt.event.title.clone_from(title);
            receipt.event.location = title.repeat(3);
            receipt.order.name = Some(name.to_owned());
            receipt.lines[0].category = title.clone();
            receipt.tickets.truncate(1);
            tickets_pdf(&receipt).unwrap();
            assert!(receipt_mail(&receipt).unwrap().text.contains(name));
            assert!(calendar(&receipt).ends_with("END:VCALENDAR\r\n"));
        }
    }
}

#[test]
fn the_mail_says_what_was_bought() {
    let mail = receipt_mail(&receipt()).unwrap();
    assert_eq!(mail.subject, "Your tickets for Nightjar Live (BX-7K3M9Q)");
    for part in [&mail.html, &mail.text] {
        for fact in [
            "Nightjar Live",
            "Friday 12 June 2026, 20:00 CEST",
            "Lucerna Music Bar",
            "45.00 EUR",
            "90.00 EUR",
            "140.00 EUR",
            "Zofia Wójcik",
            "BX-7K3M9Q",
            "BX1:SECOND",
            "Nightjar Concerts s.r.o.",
        ] {
            assert!(part.contains(fact), "{fact} is missing in:\n{part}");
        }
    }
    assert!(mail.text.contains(LONG_CODE));
    assert!(
        mail.text.contains("\nhttps://tickets.example/o/"),
        "the link stands alone on its line"
    );
}

#[test]
fn html_escapes_what_guests_and_promoters_wrote() {
    let mut receipt = receipt();
    let attack = "<script>alert('x')</script>";
    receipt.event.title = attack.to_owned();
    receipt.event.location = attack.to_owned();
    receipt.order.name = Some(attack.to_owned());
    receipt.lines[0].category = attack.to_owned();
    receipt.tickets[0].category = attack.to_owned();
    receipt.tickets[0].code = attack.to_owned();
    receipt.order.link = "https://x\"><script>".to_owned();
    receipt.seller = Seller {
        name: attack.to_owned(),
        address: attack.to_owned(),
        tax_id: attack.to_owned(),
        contact: attack.to_owned(),
    };
    let mail = receipt_mail(&receipt).unwrap();
    assert!(!mail.html.contains("<script"), "{}", mail.html);
    assert!(mail.html.contains("&lt;script&gt;"));
    assert!(mail.text.contains(attack), "plain text shows it as it is");
}

/// With all that a receipt can show: particulars, fees, three rates.
fn full_receipt() -> Receipt {
    let mut receipt = receipt();
    let tax = |rate_ppm, amount| {
        Some(Tax {
            rate_ppm,
            amount: eur(amount),
        })
    };
    receipt.seller.address = "Vodičkova 36\r\n\r\n110 00 Praha 1\nCzechia".to_owned();
    receipt.seller.tax_id = "CZ12345678".to_owned();
    receipt.seller.contact = "help@nightjar.example".to_owned();
    receipt.lines[0].unit_fee = Some(eur(150));
    receipt.lines[0].tax = tax(190_000, 1_437);
    receipt.lines[1].tax = tax(77_000, 357);
    let mut more = receipt.lines[1].clone();
    more.category = "Box".to_owned();
    more.tax = tax(190_000, 798);
    receipt.lines.push(more.clone());
    more.category = "Lounge".to_owned();
    more.tax = tax(88_750, 408);
    receipt.lines.push(more);
    receipt.order.total = eur(24_000);
    receipt
}

#[test]
fn the_mail_says_who_sold_it_and_what_the_prices_contain() {
    let mail = receipt_mail(&full_receipt()).unwrap();
    assert!(
        mail.text.contains(
            "2 x Standing, 45.00 EUR: 90.00 EUR\n\
             \x20   Each includes a service fee of 1.50 EUR\n\
             1 x Balcony, 50.00 EUR: 50.00 EUR\n"
        ),
        "{}",
        mail.text
    );
    assert!(
        mail.text.contains(
            "Total paid: 240.00 EUR\n\
             Includes 7.7 % VAT: 3.57 EUR\n\
             Includes 8.875 % VAT: 4.08 EUR\n\
             Includes 19 % VAT: 22.35 EUR\n\n"
        ),
        "{}",
        mail.text
    );
    assert!(
        mail.text.contains(
            "Nightjar Concerts s.r.o.\nVodičkova 36\n110 00 Praha 1\nCzechia\n\
             Tax ID CZ12345678\nHelp: help@nightjar.example\n"
        ),
        "{}",
        mail.text
    );
    for part in [
        "<br>Each includes a service fee of 1.50 EUR</span>",
        "Includes 19 % VAT",
        ">22.35 EUR</td>",
        "<br>110 00 Praha 1<br>Czechia",
        "Tax ID CZ12345678",
        "Help: help@nightjar.example",
    ] {
        assert!(
            mail.html.contains(part),
            "{part} is missing:\n{}",
            mail.html
        );
    }
    assert_eq!(mail.html.matches("service fee").count(), 1);
}

#[test]
fn what_a_price_does_not_contain_is_not_mentioned() {
    let mut free = receipt();
    // A rate on nothing is no tax.
    free.lines[0].tax = Some(Tax {
        rate_ppm: 190_000,
        amount: eur(0),
    });
    for receipt in [receipt(), free] {
        let mail = receipt_mail(&receipt).unwrap();
        for part in [mail.html, mail.text] {
            for word in ["VAT", "fee", "Tax ID", "Help:", "<br><br>"] {
                assert!(!part.contains(word), "{word} in:\n{part}");
            }
        }
    }
}

#[test]
fn taxes_without_a_sum_are_an_error() {
    let mut receipt = full_receipt();
    if let Some(tax) = &mut receipt.lines[0].tax {
        tax.amount.currency = "JPY".parse().unwrap();
    }
    assert!(receipt_mail(&receipt).is_err());
}

#[test]
fn a_guest_without_a_name_is_not_greeted_by_one() {
    let mut receipt = receipt();
    receipt.order.name = None;
    let mail = receipt_mail(&receipt).unwrap();
    assert!(!mail.text.contains("Hello"), "{}", mail.text);
    assert!(
        mail.html
            .contains("Thank you. Your order is paid and your 3 tickets are attached.")
    );
    tickets_pdf(&receipt).unwrap();
}

#[test]
fn the_calendar_file_has_the_event_in_its_zone() {
    let ics = calendar(&receipt());
    let lines = unfolded(&ics);
    for line in [
        "METHOD:PUBLISH",
        "UID:00000000-0000-0000-0000-000000000005-00000000-0000-0000-0000-000000000007@boxoffice",
        "SEQUENCE:4",
        "DTSTAMP:20260502T091530Z",
        "DTSTART;TZID=Europe/Prague:20260612T200000",
        "DTEND;TZID=Europe/Prague:20260612T230000",
        "SUMMARY:Nightjar Live",
        "LOCATION:Lucerna Music Bar\\, Vodičkova 36\\, Praha",
        "URL:https://tickets.example/o/00000000-0000-0000-0000-000000000007/s3cr3t",
        "DESCRIPTION:Doors at seven\\; support: Žalud\\, and friends\\\\guests.\\nNo bags.\\n\\n\
         Order BX-7K3M9Q\\, 3 tickets",
    ] {
        assert!(
            lines.iter().any(|found| found == line),
            "{line} is missing in:\n{ics}"
        );
    }
    let summer = "BEGIN:DAYLIGHT\r\nDTSTART:20260329T020000\r\nTZOFFSETFROM:+0100\r\n\
                  TZOFFSETTO:+0200\r\nTZNAME:CEST\r\nEND:DAYLIGHT\r\n";
    let winter = "BEGIN:STANDARD\r\nDTSTART:20261025T030000\r\nTZOFFSETFROM:+0200\r\n\
                  TZOFFSETTO:+0100\r\nTZNAME:CET\r\nEND:STANDARD\r\n";
    assert!(
        ics.contains(&format!(
            "TZID:Europe/Prague\r\n{summer}{winter}END:VTIMEZONE"
        )),
        "{ics}"
    );
}

#[test]
fn calendar_lines_are_folded_between_characters_at_75_octets() {
    let mut receipt = receipt();
    receipt.event.title = "Žluťoučký kůň; ".repeat(20);
    receipt.event.description = "řádek\r\n\u{0}".repeat(30);
    let ics = calendar(&receipt);
    assert!(!ics.replace("\r\n", "").contains(['\r', '\n', '\0']));
    for line in ics.split("\r\n") {
        assert!(line.len() <= 75, "{} octets: {line}", line.len());
    }
    let title = "Žluťoučký kůň\\; ".repeat(20);
    assert!(unfolded(&ics).contains(&format!("SUMMARY:{}", title.trim_end())));
}

#[test]
fn a_title_cannot_smuggle_a_property_into_the_calendar() {
    let mut receipt = receipt();
    receipt.event.title = "x\r\nATTENDEE:mailto:a@b.c".to_owned();
    receipt.order.link = "https://x\r\nATTENDEE:mailto:a@b.c".to_owned();
    receipt.event.description = "x\r\nATTENDEE:mailto:a@b.c".to_owned();
    assert!(
        !unfolded(&calendar(&receipt))
            .iter()
            .any(|line| line.starts_with("ATTENDEE"))
    );
}

#[test]
fn zones_without_summer_time_or_south_of_the_equator_are_right_too() {
    let ics = calendar(&starting(
        datetime!(2026-06-12 13:00 UTC),
        "Asia/Ho_Chi_Minh",
    ));
    assert!(
        ics.contains("DTSTART;TZID=Asia/Ho_Chi_Minh:20260612T200000"),
        "{ics}"
    );
    assert!(ics.contains("TZOFFSETTO:+0700"), "{ics}");
    assert!(!ics.contains("BEGIN:DAYLIGHT"), "{ics}");

    let ics = calendar(&starting(
        datetime!(2026-01-10 09:00 UTC),
        "Australia/Sydney",
    ));
    assert!(
        ics.contains("DTSTART;TZID=Australia/Sydney:20260110T200000"),
        "{ics}"
    );
    let first = ics.find("TZOFFSETTO:+1100").unwrap();
    assert!(
        first < ics.find("TZOFFSETTO:+1000").unwrap(),
        "summer holds first: {ics}"
    );

    let ics = calendar(&starting(datetime!(2026-06-12 18:00 UTC), "UTC"));
    assert!(ics.contains("DTSTART:20260612T180000Z"), "{ics}");
    assert!(!ics.contains("VTIMEZONE"), "{ics}");
}

#[test]
fn in_the_hour_that_exists_twice_the_calendar_says_utc() {
    // 02:30 in Prague, first in summer and then in winter time.
    let first = calendar(&starting(datetime!(2026-10-25 00:30 UTC), "Europe/Prague"));
    assert!(
        first.contains("DTSTART;TZID=Europe/Prague:20261025T023000"),
        "{first}"
    );
    assert!(
        first.contains("DTEND;TZID=Europe/Prague:20261025T043000"),
        "{first}"
    );
    let second = calendar(&starting(datetime!(2026-10-25 01:30 UTC), "Europe/Prague"));
    assert!(second.contains("DTSTART:20261025T013000Z"), "{second}");
    assert!(second.contains("DTEND:20261025T043000Z"), "{second}");
}

fn sender() -> Mailbox {
    "Boxoffice <tickets@tickets.example>".parse().unwrap()
}

#[test]
fn the_message_has_its_parts_and_is_the_same_each_time() {
    let bytes = email_message(&receipt(), sender(), "7.0@boxoffice")
        .unwrap()
        .formatted();
    assert_eq!(
        bytes,
        email_message(&receipt(), sender(), "7.0@boxoffice")
            .unwrap()
            .formatted()
    );
    let text = String::from_utf8(bytes).unwrap();
    for part in [
        "Message-ID: <7.0@boxoffice>\r\n",
        "Date: Sat, 02 May 2026 09:15:30 +0000\r\n",
        "From: Boxoffice <tickets@tickets.example>\r\n",
        "Subject: Your tickets for Nightjar Live (BX-7K3M9Q)\r\n",
        "Content-Type: multipart/mixed;",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "Content-Type: application/pdf\r\n",
        "Content-Type: text/calendar; charset=utf-8; method=PUBLISH\r\n",
        "filename=\"tickets.pdf\"",
        "filename=\"event.ics\"",
    ] {
        assert!(
            text.contains(part),
            "{part:?} is missing in:\n{}",
            &text[..2_000]
        );
    }
}

#[test]
fn headers_cannot_be_split() {
    let mut receipt = receipt();
    receipt.event.title = "x\r\nBcc: everybody@example.com".to_owned();
    receipt.order.name = Some("y\r\nBcc: everybody@example.com".to_owned());
    let message = email_message(&receipt, sender(), "7\r\nBcc: everybody@example.com").unwrap();
    assert_eq!(message.envelope().to().len(), 1);
    let text = String::from_utf8(message.formatted()).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    assert!(
        !head
            .lines()
            .any(|line| line.to_ascii_lowercase().starts_with("bcc")),
        "{head}"
    );
    assert!(
        !receipt_mail(&receipt)
            .unwrap()
            .subject
            .contains(['\r', '\n'])
    );
}

#[test]
fn a_recipient_that_is_no_address_is_an_error() {
    let mut receipt = receipt();
    receipt.order.email = "nobody".to_owned();
    assert!(email_message(&receipt, sender(), "7.0@boxoffice").is_err());
}

#[test]
fn a_receipt_survives_being_stored() {
    let stored = serde_json::to_string(&receipt()).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&stored).unwrap(), receipt());
}

/// For a look with human eyes: `RENDER_SAMPLES=folder cargo test --test notify_it samples -- --ignored`.
#[test]
#[ignore = "writes files for a person to look at"]
fn samples() {
    let folder = std::path::PathBuf::from(std::env::var("RENDER_SAMPLES").unwrap());
    let mut long = receipt();
    long.event.title =
        "An Evening of Very Long Names with the Philharmonic Orchestra of the Great \
                        Northern Plains and All of Its Many Guests"
            .to_owned();
    long.event.location =
        "Großer Saal, Elbphilharmonie, Platz der Deutschen Einheit 4, 20457 Hamburg, \
                           entrance from the river side, second escalator"
            .to_owned();
    long.order.name = Some("Nguyễn Thị Ánh Tuyết Papadopoulou-Ελένη Wójcik".to_owned());
    for line in &mut long.lines {
        line.category = "Standing, early bird with a free drink".to_owned();
    }
    for ticket in &mut long.tickets {
        ticket.category = "Standing, early bird with a free drink".to_owned();
    }
    for (name, receipt) in [
        ("short", receipt()),
        ("long", long),
        ("full", full_receipt()),
    ] {
        let mail = receipt_mail(&receipt).unwrap();
        let write = |ending: &str, bytes: &[u8]| {
            std::fs::write(folder.join(format!("{name}.{ending}")), bytes).unwrap();
        };
        write("html", mail.html.as_bytes());
        write("txt", mail.text.as_bytes());
        write("pdf", &tickets_pdf(&receipt).unwrap());
        write("ics", calendar(&receipt).as_bytes());
        write(
            "eml",
            &email_message(&receipt, sender(), "7.0@boxoffice")
                .unwrap()
                .formatted(),
        );
    }
}
