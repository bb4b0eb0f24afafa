//! The printed tickets: one A5 page each, with a vector QR symbol. Readable on a phone, and whole when a printer fits
//! it to any sheet.

use super::paper::{ACCENT, About, Fonts, INK, Pages, SOFT, Sheet, Style, Weight, document};
use super::qr::Matrix;
use super::{Language, Receipt, RenderError, one_line};

// Points (1/72 inch), from the top left corner.
const PAGE_WIDTH: f32 = 419.53;
const PAGE_HEIGHT: f32 = 595.28;
const MARGIN: f32 = 36.0;
const CONTENT: f32 = PAGE_WIDTH - 2.0 * MARGIN;
/// The second column of facts is narrower: it holds amounts and numbers.
const RIGHT: f32 = MARGIN + CONTENT * 0.66;
const TEAR_LINE: f32 = 330.0;
/// 70 mm with the quiet zone: a code of 130 characters gets modules of 1.3 mm.
const QR_SIDE: f32 = 200.0;

const LABEL: Style = Style::new(Weight::Regular, 8.5, SOFT);

/// Sizes of a title with the lines it may take: a short one is set large, a long one smaller and in more lines.
const TITLE: [(f32, usize); 5] = [(26.0, 2), (22.0, 3), (18.0, 3), (15.0, 4), (12.5, 5)];
/// The same for the seller, for the place, for every other fact, and for the last lines.
const SELLER: [(f32, usize); 2] = [(9.0, 1), (8.0, 2)];
const PLACE: [(f32, usize); 4] = [(12.0, 1), (11.0, 2), (9.5, 2), (8.5, 3)];
const FACT: [(f32, usize); 4] = [(12.0, 1), (10.5, 1), (9.0, 2), (8.5, 3)];
const SOLD_BY: [(f32, usize); 2] = [(8.0, 1), (7.5, 2)];

/// The tickets of an order as a PDF, one page per ticket.
///
/// # Errors
/// When there are no tickets, or a code does not fit a QR symbol.
pub fn tickets_pdf(receipt: &Receipt) -> Result<Vec<u8>, RenderError> {
    if receipt.tickets.is_empty() {
        let nothing = "there are no tickets to print";
        return Err(RenderError::Pdf(nothing.to_owned()));
    }
    let (order, words) = (&receipt.order, Words::of(receipt.order.language));
    let mut fonts = Fonts::new();
    let mut sheet = Sheet::new(&mut fonts, PAGE_HEIGHT);
    common(&mut sheet, words, receipt);
    let common = sheet.finish();
    let mut pages = Vec::with_capacity(receipt.tickets.len());
    for index in 0..receipt.tickets.len() {
        let mut sheet = Sheet::new(&mut fonts, PAGE_HEIGHT);
        own(&mut sheet, words, receipt, index)?;
        pages.push(sheet.finish());
    }
    let about = About {
        title: &format!("{} · {}", one_line(&receipt.event.title), order.number),
        author: &one_line(&receipt.seller.name),
        language: order.language.tag(),
        at: order.paid_at,
    };
    let pages = Pages {
        size: (PAGE_WIDTH, PAGE_HEIGHT),
        common,
        pages,
    };
    document(&about, &fonts, &pages)
}

/// What all tickets of the order say.
fn common(sheet: &mut Sheet<'_>, words: &Words, receipt: &Receipt) {
    let (order, event, seller) = (&receipt.order, &receipt.event, &receipt.seller);
    sheet.bar(0.0, 0.0, PAGE_WIDTH, 7.0, ACCENT);
    let name = sheet
        .fonts
        .wrap(Weight::Bold, &seller.name, CONTENT - 90.0, &SELLER);
    sheet.lines((MARGIN, 27.2), Weight::Bold, ACCENT, &name);
    let title = sheet
        .fonts
        .wrap(Weight::Bold, &event.title, CONTENT, &TITLE);
    sheet.lines((MARGIN, 53.0), Weight::Bold, INK, &title);

    let date = order.language.date(&event.zone, event.starts_at);
    let time = order.language.time(&event.zone, event.starts_at);
    fact(sheet, (MARGIN, 151.0), words.date, &capitalised(&date));
    fact(sheet, (RIGHT, 151.0), words.time, &time);
    sheet.line(MARGIN, 189.0, CONTENT, LABEL, words.place);
    block(sheet, (MARGIN, 189.0), CONTENT, &PLACE, &event.location);
    let holder = order.name.as_deref().unwrap_or(&order.email);
    if !holder.is_empty() {
        fact(sheet, (MARGIN, 287.0), words.name, holder);
    }
    fact(sheet, (RIGHT, 287.0), words.order, &order.number);

    sheet.rule(MARGIN, TEAR_LINE, CONTENT, 3.0, SOFT);
    let small = Style::new(Weight::Regular, 8.0, SOFT);
    sheet.centred(MARGIN, 560.0, CONTENT, small, words.rule);
    let sold_by = [&seller.name, &seller.contact].map(|text| one_line(text));
    let sold_by: Vec<String> = sold_by
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let sold_by = format!("{} {}", words.sold_by, sold_by.join(" · "));
    let sold_by = sheet
        .fonts
        .wrap(Weight::Regular, &sold_by, CONTENT, &SOLD_BY);
    sheet.centred_lines((MARGIN, 562.4), CONTENT, SOFT, &sold_by);
}

/// What is one ticket's own.
fn own(
    sheet: &mut Sheet<'_>,
    words: &Words,
    receipt: &Receipt,
    index: usize,
) -> Result<(), RenderError> {
    let (order, ticket) = (&receipt.order, &receipt.tickets[index]);
    let (this, all) = (index + 1, receipt.tickets.len());
    let (count, number) = match all {
        1 => (words.ticket.to_owned(), order.number.clone()),
        _ => (
            format!("{} {this} {} {all}", words.ticket, words.of),
            format!("{} · {this}/{all}", order.number),
        ),
    };
    let small = Style::new(Weight::Regular, 9.0, SOFT);
    sheet.line_to(MARGIN + CONTENT, 38.0, 84.0, small, &count);

    fact(sheet, (MARGIN, 239.0), words.category, &ticket.category);
    if let Some(price) = receipt.unit_price(&ticket.category) {
        let price = match price.amount_minor {
            0 => words.free.to_owned(),
            _ => order.language.money(price),
        };
        fact(sheet, (RIGHT, 239.0), words.price, &price);
    }

    let matrix = Matrix::of(&ticket.code)?;
    let (left, top) = ((PAGE_WIDTH - QR_SIDE) / 2.0, TEAR_LINE + 5.0);
    sheet.grid(left, top, QR_SIDE / side(&matrix), &matrix.runs());
    let caption = Style::new(Weight::Bold, 9.5, INK);
    sheet.centred(MARGIN, top + QR_SIDE + 9.0, CONTENT, caption, &number);
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a QR symbol has at most 185 modules a side, quiet zone included"
)]
fn side(matrix: &Matrix) -> f32 {
    matrix.full_width() as f32
}

fn fact(sheet: &mut Sheet<'_>, (x, y): (f32, f32), label: &str, value: &str) {
    let width = if x < RIGHT {
        RIGHT - MARGIN - 14.0
    } else {
        MARGIN + CONTENT - RIGHT
    };
    sheet.line(x, y, width, LABEL, label);
    block(sheet, (x, y), width, &FACT, value);
}

/// A value under its label.
fn block(
    sheet: &mut Sheet<'_>,
    (x, y): (f32, f32),
    width: f32,
    steps: &[(f32, usize)],
    value: &str,
) {
    let found = sheet.fonts.wrap(Weight::Bold, value, width, steps);
    sheet.lines((x, y + 3.5), Weight::Bold, INK, &found);
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// What a ticket says around its facts.
struct Words {
    ticket: &'static str,
    of: &'static str,
    date: &'static str,
    time: &'static str,
    place: &'static str,
    category: &'static str,
    price: &'static str,
    free: &'static str,
    name: &'static str,
    order: &'static str,
    rule: &'static str,
    sold_by: &'static str,
}

impl Words {
    const fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::De => &DE,
            Language::Fr => &FR,
        }
    }
}

static EN: Words = Words {
    ticket: "Ticket",
    of: "of",
    date: "Date",
    time: "Starts at",
    place: "Place",
    category: "Category",
    price: "Price",
    free: "free",
    name: "Name",
    order: "Order",
    rule: "Each code admits one person, once. Show it to nobody before the door.",
    sold_by: "Sold by",
};

static DE: Words = Words {
    ticket: "Ticket",
    of: "von",
    date: "Datum",
    time: "Beginn",
    place: "Ort",
    category: "Kategorie",
    price: "Preis",
    free: "kostenlos",
    name: "Name",
    order: "Bestellung",
    rule: "Jeder Code gilt einmal für eine Person. Zeigen Sie ihn erst am Einlass.",
    sold_by: "Verkauft von",
};

static FR: Words = Words {
    ticket: "Billet",
    of: "sur",
    date: "Date",
    time: "Début",
    place: "Lieu",
    category: "Catégorie",
    price: "Prix",
    free: "gratuit",
    name: "Nom",
    order: "Commande",
    rule: "Chaque code donne accès à une personne, une seule fois. Ne le montrez qu’à l’entrée.",
    sold_by: "Vendu par",
};
