//! The printed tickets: one A5 page each, with a vector QR symbol.

use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::text::TextDirection;
use krilla::{Document, SerializeSettings};

use super::face::Face;
use super::qr::Matrix;
use super::{Receipt, RenderError, Ticket};

// Points (1/72 inch), from the top left corner.
const PAGE_WIDTH: f32 = 419.53;
const PAGE_HEIGHT: f32 = 595.28;
const MARGIN: f32 = 36.0;
const CONTENT: f32 = PAGE_WIDTH - 2.0 * MARGIN;
const TEAR_LINE: f32 = 322.0;
/// 71 mm with the quiet zone: a code of 130 characters gets modules of 1.4 mm.
const QR_SIDE: f32 = 202.0;
const CODE_SIZE: f32 = 6.5;

type Rgb = (u8, u8, u8);
const INK: Rgb = (22, 24, 35);
const SOFT: Rgb = (98, 103, 121);
const ACCENT: Rgb = (122, 46, 77);

/// The tickets of one order as a PDF, one page per ticket in the receipt's order.
///
/// # Errors
/// When there are no tickets, a code does not fit a QR symbol, or the PDF library refuses.
pub fn tickets_pdf(receipt: &Receipt) -> Result<Vec<u8>, RenderError> {
    let broken = |what: &str| RenderError::Pdf(what.to_owned());
    if receipt.tickets.is_empty() {
        return Err(broken("the order has no tickets"));
    }
    let regular = Face::regular().ok_or_else(|| broken("the regular font is unreadable"))?;
    let bold = Face::bold().ok_or_else(|| broken("the bold font is unreadable"))?;
    let mut document = Document::new_with(SerializeSettings::default());
    document.set_metadata(
        Metadata::new()
            .title(format!("Tickets {}", receipt.order.number))
            .authors(vec![receipt.seller.name.clone()])
            .language("en".to_owned()),
    );
    for (index, ticket) in receipt.tickets.iter().enumerate() {
        let qr = Matrix::of(&ticket.code)?;
        let size =
            PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).ok_or_else(|| broken("page size"))?;
        let mut page = document.start_page_with(size);
        let mut sheet = Sheet {
            surface: page.surface(),
            regular: &regular,
            bold: &bold,
        };
        sheet.draw(receipt, index, &qr);
        drop(sheet);
        page.finish();
    }
    document
        .finish()
        .map_err(|error| RenderError::Pdf(format!("{error:?}")))
}

/// A page being drawn.
struct Sheet<'a> {
    surface: Surface<'a>,
    regular: &'a Face,
    bold: &'a Face,
}

/// How a text is set.
#[derive(Clone, Copy)]
struct Style<'a> {
    face: &'a Face,
    size: f32,
    color: Rgb,
}

impl<'a> Sheet<'a> {
    fn regular(&self, size: f32, color: Rgb) -> Style<'a> {
        Style {
            face: self.regular,
            size,
            color,
        }
    }

    fn bold(&self, size: f32, color: Rgb) -> Style<'a> {
        Style {
            face: self.bold,
            size,
            color,
        }
    }

    fn draw(&mut self, receipt: &Receipt, index: usize, qr: &Matrix) {
        let ticket = &receipt.tickets[index];
        self.head(receipt, index);
        self.facts(receipt, ticket);
        self.tear_line();
        self.code(qr, &ticket.code);
        self.foot();
    }

    /// Seller and count, then title, date and place down to the facts.
    fn head(&mut self, receipt: &Receipt, index: usize) {
        self.bar(0.0, 0.0, PAGE_WIDTH, 8.0);
        let count = format!("Ticket {} of {}", index + 1, receipt.tickets.len());
        let small = self.regular(9.0, SOFT);
        let count_width = small.face.width(&count, small.size);
        self.text(MARGIN + CONTENT - count_width, 42.0, small, &count);
        let seller = self.bold(9.0, ACCENT);
        self.fitted(
            MARGIN,
            42.0,
            CONTENT - count_width - 16.0,
            seller,
            &receipt.seller.name,
        );

        let mut y = 56.0;
        let (title, lines) = self.title(&receipt.event.title);
        for line in lines {
            y += title.size * 1.22;
            self.text(MARGIN, y, title, &line);
        }
        y += 26.0;
        let date = self.bold(12.5, INK);
        self.fitted(MARGIN, y, CONTENT, date, &receipt.event.starts_at_text());
        let place = self.regular(11.5, SOFT);
        let location = place.face.printable(&receipt.event.location);
        for line in place.face.wrap(&location, place.size, CONTENT, 2) {
            y += 17.0;
            self.text(MARGIN, y, place, &line);
        }
    }

    /// A short title is set large; a long one smaller, in three lines at most.
    fn title(&self, title: &str) -> (Style<'a>, Vec<String>) {
        let title = self.bold.printable(title);
        let large = self.bold(25.0, INK);
        let lines = large.face.wrap(&title, large.size, CONTENT, 3);
        if lines.len() <= 2 {
            return (large, lines);
        }
        let small = self.bold(19.0, INK);
        (small, small.face.wrap(&title, small.size, CONTENT, 3))
    }

    /// Two rows of two facts, hung above the tear line.
    fn facts(&mut self, receipt: &Receipt, ticket: &Ticket) {
        let price = receipt
            .unit_price(&ticket.category)
            .map(|price| price.to_string());
        let holder = receipt
            .order
            .name
            .as_deref()
            .unwrap_or(&receipt.order.email);
        let right = MARGIN + CONTENT * 0.64;
        self.fact(MARGIN, 240.0, "Category", &ticket.category);
        self.fact(right, 240.0, "Price", price.as_deref().unwrap_or("–"));
        self.fact(MARGIN, 283.0, "Name", holder);
        self.fact(right, 283.0, "Order", &receipt.order.number);
    }

    fn fact(&mut self, x: f32, y: f32, label: &str, value: &str) {
        let width = if x > MARGIN {
            CONTENT * 0.36
        } else {
            CONTENT * 0.64 - 14.0
        };
        let label_style = self.regular(8.5, SOFT);
        self.text(x, y, label_style, label);
        let value_style = self.bold(12.0, INK);
        self.fitted(x, y + 16.0, width, value_style, value);
    }

    fn tear_line(&mut self) {
        let mut path = PathBuilder::new();
        path.move_to(MARGIN, TEAR_LINE);
        path.line_to(MARGIN + CONTENT, TEAR_LINE);
        let Some(path) = path.finish() else { return };
        self.surface.set_fill(None);
        self.surface.set_stroke(Some(Stroke {
            paint: color(SOFT).into(),
            width: 0.8,
            dash: Some(StrokeDash {
                array: vec![3.0, 4.0],
                offset: 0.0,
            }),
            ..Stroke::default()
        }));
        self.surface.draw_path(&path);
        self.surface.set_stroke(None);
    }

    /// The symbol, black on the white page, and its text for a reader that cannot see it.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a QR symbol has at most 185 modules a side"
    )]
    fn code(&mut self, qr: &Matrix, code: &str) {
        let module = QR_SIDE / qr.full_width() as f32;
        let (left, top) = ((PAGE_WIDTH - QR_SIDE) / 2.0, TEAR_LINE + 4.0);
        let mut path = PathBuilder::new();
        for (x, y, length) in qr.runs() {
            let (x, y) = (left + x as f32 * module, top + y as f32 * module);
            if let Some(run) = Rect::from_xywh(x, y, length as f32 * module, module) {
                path.push_rect(run);
            }
        }
        if let Some(path) = path.finish() {
            self.surface.set_fill(Some(Fill::default()));
            self.surface.draw_path(&path);
        }
        let style = self.regular(CODE_SIZE, SOFT);
        let mut y = top + QR_SIDE + 6.0;
        for line in style.face.wrap_code(code, style.size, CONTENT) {
            let x = (PAGE_WIDTH - style.face.width(&line, style.size)) / 2.0;
            self.text(x, y, style, &line);
            y += CODE_SIZE * 1.35;
        }
    }

    fn foot(&mut self) {
        let style = self.regular(8.0, SOFT);
        let text = "Each code admits one person, once. Keep it to yourself until the door.";
        let x = (PAGE_WIDTH - style.face.width(text, style.size)) / 2.0;
        self.text(x, PAGE_HEIGHT - 24.0, style, text);
    }

    fn bar(&mut self, x: f32, y: f32, width: f32, height: f32) {
        let mut path = PathBuilder::new();
        let Some(bar) = Rect::from_xywh(x, y, width, height) else {
            return;
        };
        path.push_rect(bar);
        if let Some(path) = path.finish() {
            self.surface.set_fill(Some(fill(ACCENT)));
            self.surface.draw_path(&path);
        }
    }

    /// A text of the order's own, made printable and cut to the width.
    fn fitted(&mut self, x: f32, y: f32, width: f32, style: Style<'_>, text: &str) {
        let text = style
            .face
            .fit(&style.face.printable(text), style.size, width);
        self.text(x, y, style, &text);
    }

    fn text(&mut self, x: f32, baseline: f32, style: Style<'_>, text: &str) {
        let at = Point::from_xy(x, baseline);
        self.surface.set_fill(Some(fill(style.color)));
        self.surface.draw_text(
            at,
            style.face.font(),
            style.size,
            text,
            false,
            TextDirection::Auto,
        );
    }
}

fn color((red, green, blue): Rgb) -> rgb::Color {
    rgb::Color::new(red, green, blue)
}

fn fill(rgb: Rgb) -> Fill {
    Fill {
        paint: color(rgb).into(),
        ..Fill::default()
    }
}
