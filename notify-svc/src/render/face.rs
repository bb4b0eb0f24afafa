//! The embedded typeface and its measure: the PDF library only draws, so lines are fitted and broken here.

use krilla::text::Font;
use rustybuzz::{Face as Shaper, UnicodeBuffer};

static REGULAR: &[u8] = include_bytes!("../../fonts/NotoSans-Regular.ttf");
static BOLD: &[u8] = include_bytes!("../../fonts/NotoSans-Bold.ttf");

const ELLIPSIS: char = '…';

/// One weight of the typeface. Measured with the shaper that also places the glyphs, so the two agree.
pub(super) struct Face {
    font: Font,
    shaper: Shaper<'static>,
}

impl Face {
    pub(super) fn regular() -> Option<Self> {
        Self::load(REGULAR)
    }

    pub(super) fn bold() -> Option<Self> {
        Self::load(BOLD)
    }

    fn load(data: &'static [u8]) -> Option<Self> {
        Some(Self {
            font: Font::new(data.into(), 0)?,
            shaper: Shaper::from_slice(data, 0)?,
        })
    }

    pub(super) fn font(&self) -> Font {
        self.font.clone()
    }

    /// Width in points at `size` points.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a line's width is far below 2^24 font units"
    )]
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let shaped = rustybuzz::shape(&self.shaper, &[], buffer);
        let units: i32 = shaped
            .glyph_positions()
            .iter()
            .map(|glyph| glyph.x_advance)
            .sum();
        units as f32 * size / self.font.units_per_em()
    }

    /// Without the symbols the typeface lacks (an emoji would print as an empty box). Letters it lacks stay: the box
    /// then says that a name is incomplete.
    pub(super) fn printable(&self, text: &str) -> String {
        let known = |c: &char| c.is_alphanumeric() || self.shaper.glyph_index(*c).is_some();
        super::one_line(&text.chars().filter(known).collect::<String>())
    }

    /// One line of at most `width` points, cut with an ellipsis where needed.
    pub(super) fn fit(&self, text: &str, size: f32, width: f32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let room = width - self.width(&ELLIPSIS.to_string(), size);
        let kept = text[..self.fitting_bytes(text, size, room)].trim_end();
        format!("{kept}{ELLIPSIS}")
    }

    /// At most `max_lines` lines of at most `width` points, broken at spaces (inside a word only where it alone is
    /// too wide); what does not fit ends in an ellipsis.
    pub(super) fn wrap(&self, text: &str, size: f32, width: f32, max_lines: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() && lines.len() < max_lines {
            if lines.len() + 1 == max_lines {
                lines.push(self.fit(rest, size, width));
                break;
            }
            let (line, next) = rest.split_at(self.break_at(rest, size, width));
            lines.push(line.trim_end().to_owned());
            rest = next.trim_start();
        }
        lines
    }

    /// Lines of exactly the text's characters, spaces included: for codes, which have no words.
    pub(super) fn wrap_code(&self, code: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = code;
        while let Some(first) = rest.chars().next() {
            let cut = self.fitting_bytes(rest, size, width).max(first.len_utf8());
            let (line, next) = rest.split_at(cut);
            lines.push(line.to_owned());
            rest = next;
        }
        lines
    }

    /// Where the first line ends, in bytes; never 0, so that wrapping goes on.
    fn break_at(&self, text: &str, size: f32, width: f32) -> usize {
        let fits = self.fitting_bytes(text, size, width);
        if fits == text.len() || text[fits..].starts_with(' ') {
            return fits;
        }
        let first = text.chars().next().map_or(0, char::len_utf8);
        text[..fits].rfind(' ').unwrap_or(fits).max(first)
    }

    /// Length in bytes of the longest start of `text` that is at most `width` wide.
    fn fitting_bytes(&self, text: &str, size: f32, width: f32) -> usize {
        let ends: Vec<usize> = text
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .collect();
        let count = ends.partition_point(|&end| self.width(&text[..end], size) <= width);
        count.checked_sub(1).map_or(0, |last| ends[last])
    }
}
