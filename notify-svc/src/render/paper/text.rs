//! Lines of text: shaped once, then measured, broken and cut by their glyphs.

use super::subset::Subset;
use super::typeface::{Shape, Weight};
use crate::render::one_line;

const ELLIPSIS: &str = "…";

/// From one baseline to the next, in sizes of the text.
const LEADING: f32 = 1.2;

/// Both weights as far as one document uses them.
pub(in crate::render) struct Fonts {
    pub(super) regular: Subset,
    pub(super) bold: Subset,
}

/// A text in one weight that can be drawn at any size.
#[derive(Debug, Clone)]
pub(in crate::render) struct Text {
    pub(super) weight: Weight,
    pub(super) glyphs: Vec<Glyph>,
}

/// Lengths are thousandths of the em.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyph {
    pub code: u16,
    /// As wide as the subset's widths say.
    pub width: f32,
    /// As far as the next one is away: kerning is the difference.
    pub advance: f32,
    pub dx: f32,
    pub dy: f32,
    place: Place,
}

/// Where a line may be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Here, and the space is left out.
    Space,
    /// After it.
    Hyphen,
    /// In front of it if need be.
    Letter,
    /// Never in front of it: an accent on the letter before.
    Accent,
}

/// A text that had to fit.
#[derive(Default)]
pub(in crate::render) struct Lines {
    pub lines: Vec<Text>,
    pub size: f32,
}

/// What becomes of a text in so many lines, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Cut,
    WordBroken,
    Whole,
}

impl Fonts {
    pub fn new() -> Self {
        Self {
            regular: Subset::new(Weight::Regular.typeface()),
            bold: Subset::new(Weight::Bold.typeface()),
        }
    }

    /// One line without what cannot be seen, and without the symbols that the typeface lacks (an emoji would print as
    /// an empty box). Letters it lacks stay, and so do symbols where nothing else is said: the box then says that
    /// something is missing.
    pub fn text(&mut self, weight: Weight, text: &str) -> Text {
        let subset = match weight {
            Weight::Regular => &mut self.regular,
            Weight::Bold => &mut self.bold,
        };
        let seen = |c: &char| !is_unseen(*c);
        let known = |c: &char| c.is_alphanumeric() || c.is_whitespace() || subset.face.has(*c);
        let told = text.chars().filter(seen);
        let mut line = one_line(&told.clone().filter(known).collect::<String>());
        if line.is_empty() {
            line = one_line(&told.collect::<String>());
        }
        Text {
            weight,
            glyphs: glyphs(subset, &line),
        }
    }

    /// One line of at most `width` points at this size, cut with an ellipsis where needed.
    pub fn fit(&mut self, text: Text, size: f32, width: f32) -> Text {
        if text.width(size) <= width {
            return text;
        }
        let ellipsis = self.text(text.weight, ELLIPSIS);
        let room = thousandths(width - ellipsis.width(size), size);
        let mut glyphs = text.glyphs;
        glyphs.truncate(fitting(&glyphs, room));
        while glyphs.last().is_some_and(|last| last.place == Place::Space) {
            glyphs.pop();
        }
        glyphs.extend(ellipsis.glyphs);
        Text { glyphs, ..text }
    }

    /// The text in the first of these sizes, each with the number of lines it may take, in which all of it fits into
    /// lines of at most `width` points; if in none, then with a word broken; if not even so, in the last size and cut
    /// with an ellipsis.
    pub fn wrap(
        &mut self,
        weight: Weight,
        text: &str,
        width: f32,
        steps: &[(f32, usize)],
    ) -> Lines {
        let text = self.text(weight, text);
        let mut best = (Fit::Cut, Lines::default());
        for &(size, max_lines) in steps {
            let room = thousandths(width, size);
            let (lines, fit) = text.broken(room, max_lines);
            if fit > best.0 || fit == Fit::Cut {
                best = (fit, Lines { lines, size });
            }
            if fit == Fit::Whole {
                best.1.lines = text.evened(best.1.lines, room);
                return best.1;
            }
        }
        let (fit, mut found) = best;
        if fit == Fit::Cut
            && let Some(last) = found.lines.pop()
        {
            let last = self.fit(last, found.size, width);
            found.lines.push(last);
        }
        found
    }
}

impl Lines {
    /// From one baseline to the next, in points.
    pub fn leading(&self) -> f32 {
        self.size * LEADING
    }
}

impl Text {
    /// In points.
    pub fn width(&self, size: f32) -> f32 {
        let advances = self.glyphs.iter().map(|glyph| glyph.advance);
        advances.sum::<f32>() * size / 1000.0
    }

    /// Lines of at most `room`; where there are not enough of them, the last one holds all the rest.
    fn broken(&self, room: f32, max_lines: usize) -> (Vec<Self>, Fit) {
        let (mut lines, mut fit, mut rest) = (Vec::new(), Fit::Whole, self.glyphs.as_slice());
        while !rest.is_empty() && lines.len() < max_lines {
            let fits = fitting(rest, room);
            let (end, this) = if fits == rest.len() {
                (fits, Fit::Whole)
            } else if lines.len() + 1 == max_lines {
                (rest.len(), Fit::Cut)
            } else {
                line_end(rest, fits)
            };
            fit = fit.min(this);
            let (line, next) = rest.split_at(end);
            lines.push(Self {
                weight: self.weight,
                glyphs: trimmed(line).to_vec(),
            });
            rest = trimmed(next);
        }
        (lines, fit)
    }

    /// As many lines in the narrowest column that holds them: no single word is left for the last one.
    fn evened(&self, lines: Vec<Self>, room: f32) -> Vec<Self> {
        let (count, mut even) = (lines.len(), lines);
        if count < 2 {
            return even;
        }
        let (mut narrow, mut wide) = (0.0, room);
        for _ in 0..8 {
            let middle = f32::midpoint(narrow, wide);
            match self.broken(middle, count) {
                (lines, Fit::Whole) => (even, wide) = (lines, middle),
                _ => narrow = middle,
            }
        }
        even
    }
}

/// Where the first line ends when so many glyphs fit: between words if it can, never at 0.
fn line_end(glyphs: &[Glyph], fits: usize) -> (usize, Fit) {
    let may_end = |end: usize| {
        glyphs[end].place == Place::Space
            || glyphs[end - 1].place == Place::Space
            || glyphs[end - 1].place == Place::Hyphen
    };
    let end = (1..=fits).rev().find(|end| may_end(*end));
    end.map_or((fits.max(1), Fit::WordBroken), |end| (end, Fit::Whole))
}

/// How many of the first glyphs are at most `room` wide, accents with their letters.
fn fitting(glyphs: &[Glyph], room: f32) -> usize {
    let mut width = 0.0;
    let over = glyphs.iter().position(|glyph| {
        width += glyph.advance;
        width > room
    });
    let Some(mut fits) = over else {
        return glyphs.len();
    };
    while fits > 0 && glyphs[fits].place == Place::Accent {
        fits -= 1;
    }
    fits
}

fn trimmed(mut glyphs: &[Glyph]) -> &[Glyph] {
    while let [first, rest @ ..] = glyphs
        && first.place == Place::Space
    {
        glyphs = rest;
    }
    while let [rest @ .., last] = glyphs
        && last.place == Place::Space
    {
        glyphs = rest;
    }
    glyphs
}

/// Joins, directs or styles its neighbours, and has no width. What it does to them the typeface cannot show.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

fn thousandths(points: f32, size: f32) -> f32 {
    points * 1000.0 / size
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an advance is far below 2^24 units"
)]
fn glyphs(subset: &mut Subset, text: &str) -> Vec<Glyph> {
    let shapes = subset.face.shape(text);
    let scale = 1000.0 / f32::from(subset.face.units_per_em());
    let mut glyphs = Vec::with_capacity(shapes.len());
    let mut rest = "";
    for (index, shape) in shapes.iter().enumerate() {
        let same = |other: Option<&Shape>| other.is_some_and(|other| other.at == shape.at);
        let accent = index > 0 && same(shapes.get(index - 1));
        if !accent {
            let following = shapes[index..].iter().find(|other| other.at > shape.at);
            let end = following.map_or(text.len(), |following| following.at);
            rest = &text[shape.at..end];
        }
        // A letter and its accents are copied one by one; what became one glyph is copied as a whole.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let length = if same(shapes.get(index + 1)) {
            first
        } else {
            rest.len()
        };
        let (stands_for, after) = rest.split_at(length);
        rest = after;
        let code = subset.code(shape.glyph, stands_for);
        glyphs.push(Glyph {
            code,
            width: f32::from(subset.face.metrics(shape.glyph).0) * scale,
            advance: shape.advance as f32 * scale,
            dx: shape.dx as f32 * scale,
            dy: shape.dy as f32 * scale,
            place: match stands_for {
                _ if accent => Place::Accent,
                " " => Place::Space,
                "-" | "–" | "—" | "/" => Place::Hyphen,
                _ => Place::Letter,
            },
        });
    }
    glyphs
}
