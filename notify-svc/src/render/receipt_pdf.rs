//! The receipt on paper, for whoever has to hand one in: A4, one page or as many as its lines need.

use super::paper::{ACCENT, About, Fonts, INK, Pages, SOFT, Sheet, Style, Weight, document};
use super::words::Words;
use super::{Language, Line, Order, Receipt, RenderError, lines, one_line};

// Points (1/72 inch), from the top left corner.
const PAGE_WIDTH: f32 = 595.28;
const PAGE_HEIGHT: f32 = 841.89;
const MARGIN: f32 = 56.0;
const CONTENT: f32 = PAGE_WIDTH - 2.0 * MARGIN;
const RIGHT: f32 = MARGIN + CONTENT;
/// Nothing but the page's number stands below.
const BOTTOM: f32 = 770.0;
/// Where the amounts begin.
const AMOUNTS: f32 = 110.0;
/// Where the prices of single tickets end.
const EACH: f32 = RIGHT - AMOUNTS - 10.0;

const TEXT: Style = Style::new(Weight::Regular, 10.0, INK);
const NOTE: Style = Style::new(Weight::Regular, 8.5, SOFT);

/// As many lines as a seller's particulars may have here.
const PARTICULARS_LINES: usize = 12;

/// What was paid, for what and to whom, with the taxes in it as they were stored.
///
/// # Errors
/// When the taxes have no sum.
pub fn receipt_pdf(receipt: &Receipt) -> Result<Vec<u8>, RenderError> {
    let (order, heading) = (&receipt.order, heading(receipt.order.language));
    let taxes = taxes(receipt)?;
    let mut fonts = Fonts::new();
    let mut writer = Writer {
        sheet: Sheet::new(&mut fonts, PAGE_HEIGHT),
        done: Vec::new(),
        y: 0.0,
    };
    writer.head(receipt, heading);
    writer.event(receipt);
    for line in &receipt.lines {
        writer.paid_line(line, order.language);
    }
    writer.total(receipt, &taxes);
    let pages = Pages {
        size: (PAGE_WIDTH, PAGE_HEIGHT),
        common: Vec::new(),
        pages: writer.finish(order),
    };
    let about = About {
        title: &format!("{heading} {}", order.number),
        author: &one_line(&receipt.seller.name),
        language: order.language.tag(),
        at: order.paid_at,
    };
    document(&about, &fonts, &pages)
}

/// Label and amount of each rate.
fn taxes(receipt: &Receipt) -> Result<Vec<(String, String)>, RenderError> {
    let (language, words) = (receipt.order.language, Words::of(receipt.order.language));
    let (includes, vat) = words.tax_included;
    let sums = receipt.taxes()?;
    let texts = sums.iter().map(|tax| {
        let rate = language.percent(tax.rate_ppm);
        (
            format!("{includes} {rate} {vat}"),
            language.money(tax.amount),
        )
    });
    Ok(texts.collect())
}

/// Writes from top to bottom, and begins a page where one is full.
struct Writer<'f> {
    sheet: Sheet<'f>,
    done: Vec<Vec<u8>>,
    /// The last baseline.
    y: f32,
}

impl Writer<'_> {
    fn head(&mut self, receipt: &Receipt, heading: &str) {
        let (order, words) = (&receipt.order, Words::of(receipt.order.language));
        self.sheet.bar(0.0, 0.0, PAGE_WIDTH, 7.0, ACCENT);
        let (wide, narrow) = (CONTENT * 0.58, CONTENT * 0.36);
        let large = Style::new(Weight::Bold, 24.0, INK);
        self.sheet.line(MARGIN, 74.0, wide, large, heading);
        let zone = &receipt.event.zone;
        let paid_at = order.language.moment(zone, order.paid_at);
        let name = order.name.as_deref().unwrap_or_default();
        self.y = 88.0;
        self.texts(
            Weight::Bold,
            wide,
            &format!("{} {}", words.order, order.number),
        );
        self.texts(Weight::Regular, wide, &format!("{} {paid_at}", words.paid));
        self.texts(Weight::Regular, wide, name);
        self.texts(Weight::Regular, wide, &order.email);
        let right = self.seller(receipt, narrow);
        self.y = self.y.max(right) + 20.0;
    }

    /// Another text under what is there, in as many lines as it needs; none for an empty one.
    fn texts(&mut self, weight: Weight, width: f32, text: &str) {
        let steps = [(10.0, 2), (8.5, 4)];
        let found = self.sheet.fonts.wrap(weight, text, width, &steps);
        if !found.lines.is_empty() {
            let above = (MARGIN, self.y + 2.5);
            self.y = self.sheet.lines(above, weight, INK, &found);
        }
    }

    /// The seller's particulars, down from the top right. Returns the last baseline.
    fn seller(&mut self, receipt: &Receipt, width: f32) -> f32 {
        let (seller, words) = (&receipt.seller, Words::of(receipt.order.language));
        let mut particulars = lines(&seller.address);
        let (tax_id, contact) = (one_line(&seller.tax_id), one_line(&seller.contact));
        if !tax_id.is_empty() {
            particulars.push(format!("{} {tax_id}", words.tax_id));
        }
        particulars.push(contact);
        let (x, fonts) = (RIGHT - width, &mut self.sheet.fonts);
        let name = fonts.wrap(Weight::Bold, &seller.name, width, &[(11.0, 2), (9.0, 4)]);
        let mut y = self.sheet.lines((x, 49.0), Weight::Bold, ACCENT, &name) + 3.0;
        for text in particulars.iter().take(PARTICULARS_LINES) {
            let steps = [(9.0, 1), (8.0, 3)];
            let found = self.sheet.fonts.wrap(Weight::Regular, text, width, &steps);
            y = self
                .sheet
                .lines((x, y + 1.5), Weight::Regular, SOFT, &found);
        }
        y
    }

    fn event(&mut self, receipt: &Receipt) {
        let event = &receipt.event;
        let steps = [(14.0, 2), (11.0, 4)];
        let title = self
            .sheet
            .fonts
            .wrap(Weight::Bold, &event.title, CONTENT, &steps);
        let corner = (MARGIN, self.y);
        self.y = self.sheet.lines(corner, Weight::Bold, INK, &title) + 2.0;
        let when = receipt.order.language.moment(&event.zone, event.starts_at);
        self.texts(Weight::Regular, CONTENT, &when);
        self.texts(Weight::Regular, CONTENT, &event.location);
        self.y += 16.0;
        self.sheet.rule(MARGIN, self.y, CONTENT, 0.0, SOFT);
        self.y += 20.0;
    }

    fn paid_line(&mut self, line: &Line, language: Language) {
        let steps = [(10.0, 3), (8.5, 4)];
        let (quantity, category) = (line.quantity, one_line(&line.category));
        let what = format!("{quantity} × {category}");
        let width = CONTENT - 2.0 * AMOUNTS - 10.0;
        let what = self.sheet.fonts.wrap(Weight::Regular, &what, width, &steps);
        self.make_room(56.0);
        let (each, total) = (
            language.money(line.unit_price),
            language.money(line.line_total),
        );
        self.sheet.line_to(EACH, self.y, AMOUNTS, TEXT, &each);
        self.sheet.line_to(RIGHT, self.y, AMOUNTS, TEXT, &total);
        let above = (MARGIN, self.y - what.leading());
        self.y = self.sheet.lines(above, Weight::Regular, INK, &what);
        if let Some(fee) = line.unit_fee {
            let label = Words::of(language).each_includes_fee;
            let fee = format!("{label} {}", language.money(fee));
            self.y += 12.5;
            self.sheet.line(MARGIN, self.y, CONTENT, NOTE, &fee);
        }
        self.y += 20.0;
    }

    fn total(&mut self, receipt: &Receipt, taxes: &[(String, String)]) {
        let (order, words) = (&receipt.order, Words::of(receipt.order.language));
        self.make_room(40.0);
        self.sheet.rule(MARGIN, self.y - 8.0, CONTENT, 0.0, SOFT);
        self.y += 12.0;
        let strong = Style::new(Weight::Bold, 12.0, INK);
        let total = order.language.money(order.total);
        self.row(strong, words.total_paid, &total);
        for (label, amount) in taxes {
            self.make_room(16.0);
            self.row(NOTE, label, amount);
        }
    }

    fn row(&mut self, style: Style, label: &str, amount: &str) {
        let width = CONTENT - 150.0;
        self.sheet.line(MARGIN, self.y, width, style, label);
        self.sheet.line_to(RIGHT, self.y, 140.0, style, amount);
        self.y += style.size + 6.0;
    }

    /// Begins a page where so much does not fit on this one.
    fn make_room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.done.push(self.sheet.next());
            self.y = MARGIN + 10.0;
        }
    }

    /// The pages, numbered where there are several: each says whose it is.
    fn finish(mut self, order: &Order) -> Vec<Vec<u8>> {
        self.done.push(self.sheet.next());
        let all = self.done.len();
        if all > 1 {
            let word = Words::of(order.language).order;
            for (index, page) in self.done.iter_mut().enumerate() {
                let number = format!("{word} {} · {}/{all}", order.number, index + 1);
                self.sheet.line_to(RIGHT, 800.0, CONTENT, NOTE, &number);
                page.extend(self.sheet.next());
            }
        }
        self.done
    }
}

const fn heading(language: Language) -> &'static str {
    match language {
        Language::En => "Receipt",
        Language::De => "Beleg",
        Language::Fr => "Reçu",
    }
}
