//! One page's drawing. Points from the top left corner; the file counts from the bottom.

use pdf_writer::{Content, Name, Str};

use super::text::{Fonts, Glyph, Lines, Text};
use super::typeface::Weight;

pub(in crate::render) type Rgb = (u8, u8, u8);

/// The colours of the mails.
pub(in crate::render) const INK: Rgb = (22, 24, 35);
pub(in crate::render) const SOFT: Rgb = (98, 103, 121);
pub(in crate::render) const ACCENT: Rgb = (122, 46, 77);

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub(in crate::render) struct Style {
    pub weight: Weight,
    pub size: f32,
    pub color: Rgb,
}

/// What was drawn so far. Several can lie on one page, one over the other.
pub(in crate::render) struct Sheet<'f> {
    pub fonts: &'f mut Fonts,
    content: Content,
    height: f32,
    color: Option<Rgb>,
}

impl Style {
    pub const fn new(weight: Weight, size: f32, color: Rgb) -> Self {
        Self {
            weight,
            size,
            color,
        }
    }
}

impl<'f> Sheet<'f> {
    pub fn new(fonts: &'f mut Fonts, height: f32) -> Self {
        Self {
            fonts,
            content: Content::with_capacity(2048),
            height,
            color: None,
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.next()
    }

    /// What was drawn so far; then it is empty again.
    pub fn next(&mut self) -> Vec<u8> {
        self.color = None;
        let mut drawn = std::mem::replace(&mut self.content, Content::with_capacity(2048))
            .finish()
            .into_vec();
        // Another piece may follow in the same stream.
        drawn.push(b'\n');
        drawn
    }

    /// A line of at most `width` points, cut with an ellipsis where needed.
    pub fn line(&mut self, x: f32, baseline: f32, width: f32, style: Style, text: &str) {
        let text = self.fonts.text(style.weight, text);
        let text = self.fonts.fit(text, style.size, width);
        self.text(x, baseline, style, &text);
    }

    /// Ends at `right`.
    pub fn line_to(&mut self, right: f32, baseline: f32, width: f32, style: Style, text: &str) {
        let text = self.fonts.text(style.weight, text);
        let text = self.fonts.fit(text, style.size, width);
        self.text(right - text.width(style.size), baseline, style, &text);
    }

    /// In the middle between `left` and `left + width`.
    pub fn centred(&mut self, left: f32, baseline: f32, width: f32, style: Style, text: &str) {
        let text = self.fonts.text(style.weight, text);
        let text = self.fonts.fit(text, style.size, width);
        let x = left + (width - text.width(style.size)) / 2.0;
        self.text(x, baseline, style, &text);
    }

    /// One under the other; the first baseline is a line below `y`. Returns the last one.
    pub fn lines(&mut self, (x, y): (f32, f32), weight: Weight, color: Rgb, lines: &Lines) -> f32 {
        let style = Style::new(weight, lines.size, color);
        let mut baseline = y;
        for line in &lines.lines {
            baseline += lines.leading();
            self.text(x, baseline, style, line);
        }
        baseline
    }

    /// The same, each line in the middle of so much width.
    pub fn centred_lines(&mut self, (x, y): (f32, f32), width: f32, color: Rgb, lines: &Lines) {
        for (line, number) in lines.lines.iter().zip(1_u8..) {
            let baseline = y + f32::from(number) * lines.leading();
            let indent = (width - line.width(lines.size)) / 2.0;
            let style = Style::new(line.weight, lines.size, color);
            self.text(x + indent, baseline, style, line);
        }
    }

    fn text(&mut self, x: f32, baseline: f32, style: Style, text: &Text) {
        if text.glyphs.is_empty() {
            return;
        }
        let font = match text.weight {
            Weight::Regular => Name(b"R"),
            Weight::Bold => Name(b"B"),
        };
        self.fill(style.color);
        self.content.begin_text().set_font(font, style.size);
        self.content.next_line(x, self.height - baseline);
        for run in text.glyphs.chunk_by(|one, next| one.dy == next.dy) {
            let rise = run[0].dy * style.size / 1000.0;
            if rise != 0.0 {
                self.content.set_rise(rise);
            }
            self.run(run);
            if rise != 0.0 {
                self.content.set_rise(0.0);
            }
        }
        self.content.end_text();
    }

    /// Glyphs at one height.
    fn run(&mut self, glyphs: &[Glyph]) {
        let mut shown = self.content.show_positioned();
        let mut items = shown.items();
        let (mut codes, mut ahead) = (Vec::with_capacity(2 * glyphs.len()), 0.0);
        for glyph in glyphs {
            let shift = ahead + glyph.dx;
            if shift != 0.0 {
                if !codes.is_empty() {
                    items.show(Str(&codes));
                    codes.clear();
                }
                // A positive number moves back.
                items.adjust(-shift);
            }
            codes.extend(glyph.code.to_be_bytes());
            ahead = glyph.advance - glyph.width - glyph.dx;
        }
        items.show(Str(&codes));
        if ahead != 0.0 {
            items.adjust(-ahead);
        }
    }

    pub fn bar(&mut self, x: f32, y: f32, width: f32, height: f32, color: Rgb) {
        self.fill(color);
        let bottom = self.height - y - height;
        self.content.rect(x, bottom, width, height).fill_nonzero();
    }

    /// From left to right; without dashes where `dash` is 0.
    pub fn rule(&mut self, x: f32, y: f32, width: f32, dash: f32, color: Rgb) {
        let (red, green, blue) = shares(color);
        self.content.set_stroke_rgb(red, green, blue);
        self.content.set_line_width(0.7);
        let dashes = [dash, dash];
        let dashes = if dash > 0.0 { &dashes[..] } else { &[] };
        self.content.set_dash_pattern(dashes.iter().copied(), 0.0);
        let y = self.height - y;
        self.content.move_to(x, y).line_to(x + width, y).stroke();
    }

    /// Black squares of a grid with its corner at (`x`, `y`): runs are (column, row, length) in cells. One path, so
    /// that no viewer shows seams between neighbours.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a grid has at most some hundred cells a side"
    )]
    pub fn grid(&mut self, x: f32, y: f32, cell: f32, runs: &[(usize, usize, usize)]) {
        self.content.save_state();
        self.content.set_fill_gray(0.0);
        let corner = self.height - y;
        self.content.transform([cell, 0.0, 0.0, -cell, x, corner]);
        for &(column, row, length) in runs {
            self.content
                .rect(column as f32, row as f32, length as f32, 1.0);
        }
        self.content.fill_nonzero().restore_state();
    }

    fn fill(&mut self, color: Rgb) {
        if self.color != Some(color) {
            let (red, green, blue) = shares(color);
            self.content.set_fill_rgb(red, green, blue);
            self.color = Some(color);
        }
    }
}

fn shares((red, green, blue): Rgb) -> (f32, f32, f32) {
    // Three digits tell 256 shades apart.
    let share = |level: u8| (f32::from(level) / 255.0 * 1000.0).round() / 1000.0;
    (share(red), share(green), share(blue))
}
