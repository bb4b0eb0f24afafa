//! Tickets and receipts on paper, read back by others' programs: poppler opens and draws them, rqrr reads the codes
//! off the drawn page.

#![expect(clippy::unwrap_used, reason = "the helpers are test code, too")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use base::{Currency, Money};
use notify_svc::render::{Language, Line, Receipt, Tax, Ticket, receipt_pdf, tickets_pdf};

use crate::golden::{Page, differing_tiles, looks_as_before};
use crate::render::{LONG_CODE, receipt};

const LONG_TITLE: &str = "An Evening of Very Long Names with the Philharmonic Orchestra of the Great \
                          Northern Plains and All of Its Many Guests II";

/// Dots per inch at which pages are compared; a letter is some dots wide.
const GOLDEN_DPI: &str = "72";

/// What a program of poppler-utils says about the file, without a complaint.
fn poppler(program: &str, arguments: &[&str], pdf: &[u8]) -> Vec<u8> {
    let mut running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} of poppler-utils does not start: {error}"));
    running.stdin.take().unwrap().write_all(pdf).unwrap();
    let output = running.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {complaints}");
    assert_eq!(complaints, "", "{program} complains");
    output.stdout
}

fn text_of(pdf: &[u8]) -> String {
    let text = String::from_utf8(poppler("pdftotext", &["-", "-"], pdf)).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(pdf: &[u8], number: usize, dpi: &str) -> Vec<u8> {
    let number = number.to_string();
    let arguments = [
        "-gray", "-png", "-r", dpi, "-f", &number, "-l", &number, "-",
    ];
    poppler("pdftoppm", &arguments, pdf)
}

/// The only code that a camera sees on this page.
fn scanned(image: &[u8]) -> String {
    let page = Page::read(image);
    let dot = |x, y| page.dot(x, y);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(page.width, page.height, dot);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one symbol is seen");
    grids[0].decode().unwrap().1
}

fn eur(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::EUR)
}

/// Long words in every place, and names of three alphabets.
fn long() -> Receipt {
    let mut long = receipt();
    long.event.title = LONG_TITLE.to_owned();
    long.event.location = "Großer Saal, Elbphilharmonie, Platz der Deutschen Einheit 4, 20457 \
                           Hamburg, entrance from the river side, second escalator"
        .to_owned();
    long.order.name = Some("Nguyễn Thị Ánh Tuyết Papadopoulou-Ελένη Wójcik".to_owned());
    let category = "Standing, early bird with a free drink";
    long.lines.truncate(1);
    long.lines[0].category = category.to_owned();
    long.seller.name =
        "Association of Friends of the Philharmonic Orchestra of the Great Northern Plains"
            .to_owned();
    long.seller.contact = "https://nightjar.example/help/where-is-my-money".to_owned();
    long.tickets.truncate(2);
    for ticket in &mut long.tickets {
        ticket.category = category.to_owned();
    }
    long
}

/// One ticket in words with an accent on every other letter.
fn vietnamese() -> Receipt {
    let mut receipt = receipt();
    receipt.event.title = "Đêm nhạc Trịnh Công Sơn: những bản tình ca bất hủ cùng dàn nhạc giao \
                           hưởng Việt Nam và các nghệ sĩ khách mời quốc tế lớn"
        .to_owned();
    receipt.event.location =
        "Nhà hát Lớn Hà Nội, 01 Tràng Tiền, Phan Chu Trinh, Hoàn Kiếm, Hà Nội".to_owned();
    receipt.order.name = Some("Nguyễn Thị Ánh Tuyết".to_owned());
    receipt.lines[0].category = "Hạng nhất, ban công, có đồ uống".to_owned();
    receipt.tickets.truncate(1);
    receipt.tickets[0].category = receipt.lines[0].category.clone();
    receipt
}

/// With all that a receipt can show.
fn full() -> Receipt {
    let mut full = receipt();
    full.seller.address = "Vodičkova 36\r\n\r\n110 00 Praha 1\nCzechia".to_owned();
    full.seller.tax_id = "CZ12345678".to_owned();
    full.seller.contact = "help@nightjar.example".to_owned();
    full.lines[0].unit_fee = Some(eur(150));
    for (line, rate_ppm, amount) in [(0, 190_000, 1_437), (1, 77_000, 357)] {
        full.lines[line].tax = Some(Tax {
            rate_ppm,
            amount: eur(amount),
        });
    }
    full
}

#[test]
fn poppler_finds_nothing_wrong() {
    let mut receipt = full();
    for language in Language::ALL {
        receipt.order.language = language;
        for (pdf, pages, size) in [
            (tickets_pdf(&receipt).unwrap(), 3, "419.53 x 595.28 pts"),
            (
                receipt_pdf(&receipt).unwrap(),
                1,
                "595.28 x 841.89 pts (A4)",
            ),
        ] {
            let info = String::from_utf8(poppler("pdfinfo", &["-"], &pdf)).unwrap();
            let value = |key: &str| {
                let line = info.lines().find_map(|line| line.strip_prefix(key));
                line.map(str::trim).unwrap_or_default().to_owned()
            };
            assert_eq!(value("Pages:"), pages.to_string(), "{info}");
            assert_eq!(value("Page size:"), size, "{info}");
            assert_eq!(value("Author:"), "Nightjar Concerts s.r.o.", "{info}");
            assert!(value("Title:").contains("BX-7K3M9Q"), "{info}");
            assert_eq!(value("Encrypted:"), "no", "{info}");

            let fonts = String::from_utf8(poppler("pdffonts", &["-"], &pdf)).unwrap();
            let fonts: Vec<&str> = fonts.lines().skip(2).collect();
            assert_eq!(fonts.len(), 2, "{fonts:?}");
            for font in fonts {
                // Embedded, a subset, with its letters told.
                assert!(font.contains("Identity-H       yes yes yes"), "{font}");
            }
        }
    }
}

#[test]
fn every_page_has_its_own_code_to_scan() {
    let mut receipt = long();
    receipt.tickets[1].code = format!("{LONG_CODE}2");
    let pdf = tickets_pdf(&receipt).unwrap();
    // As on a phone, and as on paper.
    for dpi in ["110", "200"] {
        assert_eq!(scanned(&page(&pdf, 1, dpi)), LONG_CODE);
        assert_eq!(scanned(&page(&pdf, 2, dpi)), format!("{LONG_CODE}2"));
    }
}

#[test]
fn a_ticket_says_what_whoever_stands_at_the_door_must_know() {
    for (language, facts) in [
        (
            Language::En,
            [
                "Friday 12 June 2026",
                "20:00 CEST",
                "45.00 EUR",
                "Ticket 2 of 3",
            ],
        ),
        (
            Language::De,
            [
                "Freitag, 12. Juni 2026",
                "20:00 Uhr MESZ",
                "45,00 EUR",
                "Ticket 2 von 3",
            ],
        ),
        (
            Language::Fr,
            [
                "Vendredi 12 juin 2026",
                "20 h 00 (CEST)",
                "45,00 EUR",
                "Billet 2 sur 3",
            ],
        ),
    ] {
        let mut receipt = receipt();
        receipt.order.language = language;
        let text = text_of(&tickets_pdf(&receipt).unwrap());
        let own = [
            "Nightjar Live",
            "Lucerna Music Bar, Vodičkova 36, Praha",
            "Standing",
            "Balcony",
            "Zofia Wójcik",
            "BX-7K3M9Q · 3/3",
            "Nightjar Concerts s.r.o.",
        ];
        for fact in facts.iter().chain(&own) {
            assert!(text.contains(fact), "{fact} is missing: {text}");
        }
    }
}

#[test]
fn where_nobody_is_named_no_line_for_a_name_is_left() {
    let mut receipt = receipt();
    let named = text_of(&tickets_pdf(&receipt).unwrap());
    assert!(named.contains("Name"), "{named}");
    receipt.order.email.clear();
    let named = text_of(&tickets_pdf(&receipt).unwrap());
    assert!(named.contains("Zofia Wójcik"), "{named}");
    receipt.order.name = None;
    let text = text_of(&tickets_pdf(&receipt).unwrap());
    assert!(
        !text.contains("Name") && text.contains("BX-7K3M9Q"),
        "{text}"
    );
    let text = text_of(&receipt_pdf(&receipt).unwrap());
    assert!(text.contains("BX-7K3M9Q"), "{text}");
}

#[test]
fn long_titles_are_shown_whole_and_every_name_can_be_copied() {
    assert_eq!(LONG_TITLE.chars().count(), 120);
    let mut receipt = long();
    for name in [
        "Nguyễn Thị Ánh Tuyết",
        "Zażółć Gęślą-Jaźń",
        "Ελένη Παπαδοπούλου",
        "Ольга Щукина",
        // An accent that no letter was made with, and the letter without it.
        "Aq\u{302} Quq",
        // The typeface has no such letters: boxes are drawn, and the text is behind them.
        "李明",
    ] {
        receipt.order.name = Some(name.to_owned());
        let text = text_of(&tickets_pdf(&receipt).unwrap());
        assert!(text.contains(name), "{name} is missing: {text}");
        assert!(text.contains(LONG_TITLE), "{text}");
        assert!(text.contains("river side, second escalator"), "{text}");
        assert!(!text.contains('…'), "{text}");
    }
}

/// As long as ticket-svc lets them be.
#[test]
fn the_longest_place_and_category_are_shown_whole() {
    let mut receipt = long();
    let words = "Standing room, early bird, with a free drink and a place in the first row, ";
    let of = |length| words.repeat(3).chars().take(length).collect::<String>();
    receipt.event.location = of(200).trim().to_owned();
    receipt.lines[0].category = of(100).trim().to_owned();
    for ticket in &mut receipt.tickets {
        ticket.category = receipt.lines[0].category.clone();
    }
    for pdf in [tickets_pdf(&receipt), receipt_pdf(&receipt)] {
        let text = text_of(&pdf.unwrap());
        assert!(text.contains(&receipt.event.location), "{text}");
        assert!(text.contains(&receipt.lines[0].category), "{text}");
        assert!(!text.contains('…'), "{text}");
    }
}

/// In every place where somebody may write what they like.
fn saying(words: &str) -> Receipt {
    let mut receipt = receipt();
    for place in [&mut receipt.event.title, &mut receipt.event.location] {
        words.clone_into(place);
    }
    receipt.order.name = Some(words.to_owned());
    receipt
}

#[test]
fn what_the_typeface_lacks_spoils_no_page() {
    for (words, printed) in [
        // Nothing else is said: a box says that something is missing.
        ("🎸🎸", "🎸🎸"),
        // Poppler reads boxes from right to left, as what is behind them.
        ("מופע חי", "יח עפומ"),
        ("مقهى", "ىهقم"),
    ] {
        let receipt = saying(words);
        let tickets = tickets_pdf(&receipt).unwrap();
        assert_eq!(scanned(&page(&tickets, 1, "110")), LONG_CODE);
        for pdf in [tickets, receipt_pdf(&receipt).unwrap()] {
            let text = text_of(&pdf);
            assert!(text.contains(printed), "{printed} is missing: {text}");
            assert!(text.contains("BX-7K3M9Q"), "{text}");
        }
    }
}

#[test]
fn what_cannot_be_printed_or_seen_leaves_no_gap() {
    let family = "🎸 Rock 👨\u{200d}👩\u{200d}👧 Night ❤\u{fe0f} 2026";
    for (words, printed) in [
        (family, "Rock Night 2026"),
        (
            "x\u{200b}y \u{202e}abc\u{202c} soft\u{ad}hyphen",
            "xy abc softhyphen",
        ),
    ] {
        let drawn = |words| page(&tickets_pdf(&saying(words)).unwrap(), 1, GOLDEN_DPI);
        assert!(
            drawn(words) == drawn(printed),
            "{words} is not drawn as {printed}"
        );
    }
}

#[test]
fn what_is_too_long_for_paper_ends_in_an_ellipsis_and_still_scans() {
    let mut receipt = long();
    receipt.event.title = "W".repeat(600);
    receipt.event.location = format!("{LONG_TITLE} ").repeat(9);
    receipt.order.name = Some("Ω".repeat(200));
    receipt.tickets[0].category = "x".repeat(300);
    receipt.seller.name = "Y ".repeat(200);
    let pdf = tickets_pdf(&receipt).unwrap();
    assert_eq!(scanned(&page(&pdf, 1, "110")), LONG_CODE);
    assert!(text_of(&pdf).matches('…').count() >= 5, "{}", text_of(&pdf));
}

#[test]
fn one_ticket_is_not_counted_and_a_free_one_says_so() {
    let mut receipt = receipt();
    receipt.tickets.truncate(1);
    receipt.lines[0].unit_price = eur(0);
    let text = text_of(&tickets_pdf(&receipt).unwrap());
    assert!(text.contains("free"), "{text}");
    for part in ["1 of 1", "1/1", "EUR"] {
        assert!(!text.contains(part), "{part} in: {text}");
    }
}

#[test]
fn the_receipt_has_the_sellers_particulars_and_each_amount_as_it_is_stored() {
    let mut receipt = full();
    for (language, facts) in [
        (
            Language::En,
            [
                "Receipt",
                "Order BX-7K3M9Q",
                "Each includes a service fee of 1.50 EUR",
                "Total paid 140.00 EUR",
                "Includes 7.7 % VAT 3.57 EUR",
                "Includes 19 % VAT 14.37 EUR",
            ],
        ),
        (
            Language::De,
            [
                "Beleg",
                "Bestellung BX-7K3M9Q",
                "Je enthalten: Servicegebühr von 1,50 EUR",
                "Bezahlt 140,00 EUR",
                "Enthält 7,7 % MwSt. 3,57 EUR",
                "Enthält 19 % MwSt. 14,37 EUR",
            ],
        ),
    ] {
        receipt.order.language = language;
        let pdf = receipt_pdf(&receipt).unwrap();
        let raw = poppler("pdftotext", &["-layout", "-", "-"], &pdf);
        let text = String::from_utf8(raw).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let own = [
            "Vodičkova 36",
            "110 00 Praha 1",
            "CZ12345678",
            "help@nightjar.example",
            "Zofia Wójcik",
            "zofia@example.com",
            "2 × Standing",
            "1 × Balcony",
            "Nightjar Live",
        ];
        for fact in facts.iter().chain(&own) {
            assert!(text.contains(fact), "{fact} is missing: {text}");
        }
    }
}

#[test]
fn a_receipt_of_many_lines_goes_on_overleaf() {
    let mut receipt = full();
    let line: Line = receipt.lines[1].clone();
    receipt.lines.extend(std::iter::repeat_n(line, 60));
    let pdf = receipt_pdf(&receipt).unwrap();
    let text = text_of(&pdf);
    assert_eq!(text.matches("1 × Balcony").count(), 61);
    for part in [
        "Order BX-7K3M9Q · 1/3",
        "Order BX-7K3M9Q · 3/3",
        "Total paid",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

#[test]
fn taxes_without_a_sum_are_an_error_on_paper_too() {
    let mut receipt = full();
    if let Some(tax) = &mut receipt.lines[0].tax {
        tax.amount.currency = "JPY".parse().unwrap();
    }
    assert!(receipt_pdf(&receipt).is_err());
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let receipt = full();
    assert_eq!(
        tickets_pdf(&receipt).unwrap(),
        tickets_pdf(&receipt).unwrap()
    );
    assert_eq!(
        receipt_pdf(&receipt).unwrap(),
        receipt_pdf(&receipt).unwrap()
    );
}

/// Mails carry it, and what tickets have in common is stored once.
#[test]
fn the_file_is_small() {
    let mut receipt = receipt();
    receipt.tickets.truncate(1);
    let one = tickets_pdf(&receipt).unwrap().len();
    assert!(one < 17_000, "{one} bytes");
    for number in 0..9 {
        let ticket = Ticket {
            code: format!("{LONG_CODE}{number}"),
            ..receipt.tickets[0].clone()
        };
        receipt.tickets.push(ticket);
    }
    let ten = tickets_pdf(&receipt).unwrap().len();
    assert!(ten < one + 9 * 3_500, "{ten} bytes");
}

/// The first pages that are compared, by their names.
fn tickets_to_look_at() -> [(&'static str, Receipt); 5] {
    let mut german = receipt();
    german.order.language = Language::De;
    german.event.title = "Donaudampfschifffahrtsgesellschaftskapitänsmützen".to_owned();
    german.order.name = Some("Ελένη Παπαδοπούλου".to_owned());
    let mut french = receipt();
    french.order.language = Language::Fr;
    french.event.title = "L’été en fête — Zażółć gęślą jaźń".to_owned();
    french.order.name = Some("李明 Щукина e\u{301}q\u{302}".to_owned());
    french.lines[0].unit_price = eur(123_450);
    [
        ("ticket", receipt()),
        ("ticket-long", long()),
        ("ticket-de", german),
        ("ticket-fr", french),
        ("ticket-vietnamese", vietnamese()),
    ]
}

/// And pages of receipts, with their numbers.
fn receipts_to_look_at() -> [(&'static str, &'static str, Receipt); 3] {
    let mut german = full();
    german.order.language = Language::De;
    let mut many = full();
    let lines = [long().lines.remove(0), many.lines[1].clone()];
    many.lines.extend(lines.iter().cycle().take(24).cloned());
    [
        ("receipt", "1", full()),
        ("receipt-de", "1", german),
        ("receipt-overleaf", "2", many),
    ]
}

#[test]
fn pages_look_as_somebody_found_them_good() {
    for (name, receipt) in tickets_to_look_at() {
        let pdf = tickets_pdf(&receipt).unwrap();
        looks_as_before(name, &page(&pdf, 1, GOLDEN_DPI));
    }
    for (name, number, receipt) in receipts_to_look_at() {
        let pdf = receipt_pdf(&receipt).unwrap();
        looks_as_before(name, &page(&pdf, number.parse().unwrap(), GOLDEN_DPI));
    }
}

/// What another version of poppler may do to edges is less than what another library does.
#[test]
fn another_hand_draws_the_same_pages() {
    let drawn = |pdf: &[u8], number| {
        let arguments = [
            "-gray",
            "-png",
            "-singlefile",
            "-r",
            GOLDEN_DPI,
            "-f",
            number,
            "-",
            "-",
        ];
        Page::read(&poppler("pdftocairo", &arguments, pdf))
    };
    for (name, receipt) in tickets_to_look_at() {
        let page = drawn(&tickets_pdf(&receipt).unwrap(), "1");
        assert_eq!(
            differing_tiles(&Page::found_good(name), &page),
            [],
            "{name}"
        );
    }
    for (name, number, receipt) in receipts_to_look_at() {
        let page = drawn(&receipt_pdf(&receipt).unwrap(), number);
        assert_eq!(
            differing_tiles(&Page::found_good(name), &page),
            [],
            "{name}"
        );
    }
}

/// Spoils a receipt, and says how.
type Spoilt = (&'static str, fn(&mut Receipt));

#[test]
fn no_line_of_a_ticket_can_be_missing_unseen() {
    let spoilt: [Spoilt; 8] = [
        ("holder", |receipt| {
            receipt.order.name = None;
            receipt.order.email.clear();
        }),
        ("holder's name, the label stays", |receipt| {
            receipt.order.name = Some(" ".to_owned());
        }),
        ("price", |receipt| receipt.lines.clear()),
        ("number", |receipt| receipt.order.number.clear()),
        ("category", |receipt| {
            receipt.tickets[0].category.clear();
            let mut line = receipt.lines[0].clone();
            line.category.clear();
            receipt.lines.push(line);
        }),
        ("place", |receipt| receipt.event.location.clear()),
        ("title", |receipt| receipt.event.title.clear()),
        ("seller", |receipt| receipt.seller.name.clear()),
    ];
    for (name, receipt) in tickets_to_look_at() {
        for (missing, spoil) in spoilt {
            let mut receipt = receipt.clone();
            spoil(&mut receipt);
            let drawn = page(&tickets_pdf(&receipt).unwrap(), 1, GOLDEN_DPI);
            let seen = differing_tiles(&Page::found_good(name), &Page::read(&drawn));
            assert!(!seen.is_empty(), "{name} without its {missing}");
        }
    }
}

#[test]
fn no_line_of_a_receipt_can_be_missing_unseen() {
    let spoilt: [Spoilt; 10] = [
        ("name", |receipt| receipt.order.name = None),
        ("address", |receipt| receipt.order.email.clear()),
        ("number", |receipt| receipt.order.number.clear()),
        ("category", |receipt| receipt.lines[0].category.clear()),
        ("line", |receipt| receipt.lines.truncate(1)),
        ("fee", |receipt| receipt.lines[0].unit_fee = None),
        ("tax", |receipt| receipt.lines[1].tax = None),
        ("tax number", |receipt| receipt.seller.tax_id.clear()),
        ("contact", |receipt| receipt.seller.contact.clear()),
        ("place", |receipt| receipt.event.location.clear()),
    ];
    for (name, number, receipt) in receipts_to_look_at() {
        // Overleaf some of these are missing already.
        for (missing, spoil) in spoilt.iter().filter(|_| number == "1") {
            let mut receipt = receipt.clone();
            spoil(&mut receipt);
            let drawn = page(&receipt_pdf(&receipt).unwrap(), 1, GOLDEN_DPI);
            let seen = differing_tiles(&Page::found_good(name), &Page::read(&drawn));
            assert!(!seen.is_empty(), "{name} without its {missing}");
        }
    }
}
