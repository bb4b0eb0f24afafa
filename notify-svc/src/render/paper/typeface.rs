//! The typeface: read once, shaped with the rules it carries (kerning, accents).

use std::sync::{LazyLock, OnceLock};

use rustybuzz::ttf_parser::{GlyphId, Tag};
use rustybuzz::{Direction, Face, Script, ShapePlan, UnicodeBuffer, script};

/// The weights there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Weight {
    Regular,
    Bold,
}

/// One weight, ready to be shaped and cut into subsets.
pub(super) struct Typeface {
    /// As PDF readers list it.
    pub name: &'static str,
    /// A reader that has to replace the typeface looks for one of such stems.
    pub stem_width: f32,
    shaper: Face<'static>,
    /// Reading the rules for a script costs more than shaping a line with them.
    plans: [OnceLock<ShapePlan>; SCRIPTS.len()],
    tables: Tables,
}

/// What a subset is cut from.
struct Tables {
    glyf: &'static [u8],
    loca: &'static [u8],
    head: &'static [u8],
    hhea: &'static [u8],
    maxp: &'static [u8],
    long_offsets: bool,
}

/// A character's shape where the text has it, in units of the em.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// 0 where the typeface has no such character.
    pub glyph: u16,
    pub advance: i32,
    pub dx: i32,
    pub dy: i32,
    /// Where in the text its characters begin; the same for a letter and the accents on it.
    pub at: usize,
}

/// Scripts with rules of their own here. Everything else is set by those of the first one.
const SCRIPTS: [Script; 3] = [script::LATIN, script::GREEK, script::CYRILLIC];

static REGULAR: LazyLock<Typeface> = LazyLock::new(|| {
    let file = include_bytes!("../../../fonts/NotoSans-Regular.ttf");
    Typeface::read("NotoSans-Regular", 80.0, file)
        .expect("the file in the repository is a TrueType font; each test of the PDF reads it")
});

static BOLD: LazyLock<Typeface> = LazyLock::new(|| {
    let file = include_bytes!("../../../fonts/NotoSans-Bold.ttf");
    Typeface::read("NotoSans-Bold", 140.0, file)
        .expect("the file in the repository is a TrueType font; each test of the PDF reads it")
});

impl Weight {
    pub(super) fn typeface(self) -> &'static Typeface {
        match self {
            Self::Regular => &REGULAR,
            Self::Bold => &BOLD,
        }
    }
}

impl Typeface {
    fn read(name: &'static str, stem_width: f32, file: &'static [u8]) -> Option<Self> {
        let shaper = Face::from_slice(file, 0)?;
        let table = |tag: &[u8; 4]| shaper.raw_face().table(Tag::from_bytes(tag));
        let head = table(b"head")?;
        let tables = Tables {
            glyf: table(b"glyf")?,
            loca: table(b"loca")?,
            head,
            hhea: table(b"hhea")?,
            maxp: table(b"maxp")?,
            // indexToLocFormat
            long_offsets: head.get(51)? == &1,
        };
        Some(Self {
            name,
            stem_width,
            shaper,
            plans: Default::default(),
            tables,
        })
    }

    pub fn units_per_em(&self) -> u16 {
        u16::try_from(self.shaper.units_per_em()).unwrap_or(1000)
    }

    pub fn has(&self, c: char) -> bool {
        self.shaper.glyph_index(c).is_some()
    }

    /// From left to right, also in scripts that go the other way: the typeface has none of those, and their boxes
    /// stand in the order of the text.
    pub fn shape(&self, text: &str) -> Vec<Shape> {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let script = buffer.script();
        let found = SCRIPTS.iter().position(|known| *known == script);
        let index = found.unwrap_or_default();
        buffer.set_script(SCRIPTS[index]);
        buffer.set_direction(Direction::LeftToRight);
        let plan = self.plans[index].get_or_init(|| {
            let (left_to_right, script) = (Direction::LeftToRight, SCRIPTS[index]);
            ShapePlan::new(&self.shaper, left_to_right, Some(script), None, &[])
        });
        let shaped = rustybuzz::shape_with_plan(&self.shaper, plan, buffer);
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        glyphs
            .map(|(info, position)| Shape {
                // A TrueType font has at most 65,535 glyphs.
                glyph: u16::try_from(info.glyph_id).unwrap_or_default(),
                advance: position.x_advance,
                dx: position.x_offset,
                dy: position.y_offset,
                at: info.cluster as usize,
            })
            .collect()
    }

    /// Advance width and left side bearing, without kerning.
    pub fn metrics(&self, glyph: u16) -> (u16, i16) {
        let id = GlyphId(glyph);
        let advance = self.shaper.glyph_hor_advance(id).unwrap_or_default();
        (
            advance,
            self.shaper.glyph_hor_side_bearing(id).unwrap_or_default(),
        )
    }

    /// The outline as the file has it; empty for a space.
    pub fn outline(&self, glyph: u16) -> &'static [u8] {
        let tables = &self.tables;
        let offset = |index: usize| {
            if tables.long_offsets {
                let bytes = tables.loca.get(index * 4..index * 4 + 4)?;
                Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
            } else {
                let bytes = tables.loca.get(index * 2..index * 2 + 2)?;
                Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)) * 2)
            }
        };
        let index = usize::from(glyph);
        let range = offset(index).zip(offset(index + 1));
        range
            .and_then(|(start, end)| tables.glyf.get(start..end))
            .unwrap_or_default()
    }

    pub fn head(&self) -> &'static [u8] {
        self.tables.head
    }

    pub fn hhea(&self) -> &'static [u8] {
        self.tables.hhea
    }

    pub fn maxp(&self) -> &'static [u8] {
        self.tables.maxp
    }

    /// Ascent, descent and height of a capital, in units of the em.
    pub fn vertical(&self) -> (i16, i16, i16) {
        let face = &self.shaper;
        let capital = face.capital_height().unwrap_or(face.ascender());
        (face.ascender(), face.descender(), capital)
    }

    /// Left, bottom, right and top of all glyphs together.
    pub fn bounds(&self) -> [i16; 4] {
        let all = self.shaper.global_bounding_box();
        [all.x_min, all.y_min, all.x_max, all.y_max]
    }
}
