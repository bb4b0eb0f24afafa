//! The glyphs that one document uses, as a font file of their own.

use std::collections::HashMap;

use super::typeface::Typeface;

/// Grows while a document is drawn.
pub(super) struct Subset {
    pub face: &'static Typeface,
    /// The typeface's number of each glyph, by the number it has here.
    glyphs: Vec<u16>,
    /// The text each glyph stands for; empty for .notdef and for parts of other glyphs.
    texts: Vec<String>,
    codes: HashMap<Use, u16>,
}

/// A character that the typeface lacks is drawn as the box, and yet can be searched for and copied.
#[derive(PartialEq, Eq, Hash)]
enum Use {
    Glyph(u16),
    Lacking(String),
}

/// Flags of a part of a composite glyph.
const WORDS: u16 = 0x0001;
const SCALE: u16 = 0x0008;
const MORE: u16 = 0x0020;
const X_AND_Y_SCALE: u16 = 0x0040;
const TWO_BY_TWO: u16 = 0x0080;

impl Subset {
    pub fn new(face: &'static Typeface) -> Self {
        Self {
            face,
            glyphs: vec![0],
            texts: vec![String::new()],
            codes: HashMap::new(),
        }
    }

    /// Nothing was drawn with it.
    pub fn is_empty(&self) -> bool {
        self.glyphs.len() == 1
    }

    /// What a document writes for this glyph. The first text that it stands for is the one that is copied.
    pub fn code(&mut self, glyph: u16, text: &str) -> u16 {
        let used = match glyph {
            0 => Use::Lacking(text.to_owned()),
            glyph => Use::Glyph(glyph),
        };
        let (glyphs, texts) = (&mut self.glyphs, &mut self.texts);
        *self.codes.entry(used).or_insert_with(|| {
            texts.push(text.to_owned());
            push(glyphs, glyph)
        })
    }

    /// Advance widths by code, in thousandths of the em.
    pub fn widths(&self) -> impl Iterator<Item = f32> {
        let em = f32::from(self.face.units_per_em());
        let glyphs = self.glyphs.iter();
        glyphs.map(move |glyph| f32::from(self.face.metrics(*glyph).0) * 1000.0 / em)
    }

    /// Codes and the text each stands for.
    pub fn texts(&self) -> impl Iterator<Item = (u16, &str)> {
        let texts = (0..).zip(&self.texts);
        texts
            .map(|(code, text)| (code, text.as_str()))
            .filter(|(_, text)| !text.is_empty())
    }

    /// A TrueType file of the tables that a PDF needs (ISO 32000-1 §9.9).
    pub fn file(&self) -> Vec<u8> {
        let mut glyphs = self.glyphs.clone();
        let (mut glyf, mut loca, mut hmtx) = (Vec::new(), vec![0; 4], Vec::new());
        let mut next = 0;
        while let Some(&glyph) = glyphs.get(next) {
            let start = glyf.len();
            glyf.extend_from_slice(self.face.outline(glyph));
            renumber(&mut glyf[start..], &mut glyphs);
            glyf.resize(glyf.len().next_multiple_of(2), 0);
            loca.extend(length(&glyf).to_be_bytes());
            let (advance, bearing) = self.face.metrics(glyph);
            hmtx.extend(advance.to_be_bytes());
            hmtx.extend(bearing.to_be_bytes());
            next += 1;
        }
        let count = count(&glyphs).to_be_bytes();
        let mut head = self.face.head().to_vec();
        head[8..12].fill(0); // checkSumAdjustment
        head[51] = 1; // indexToLocFormat
        let mut hhea = self.face.hhea().to_vec();
        hhea[34..36].copy_from_slice(&count); // numberOfHMetrics
        let mut maxp = self.face.maxp().to_vec();
        maxp[4..6].copy_from_slice(&count); // numGlyphs
        font_file(&[
            (b"glyf", glyf),
            (b"head", head),
            (b"hhea", hhea),
            (b"hmtx", hmtx),
            (b"loca", loca),
            (b"maxp", maxp),
        ])
    }
}

fn push(glyphs: &mut Vec<u16>, glyph: u16) -> u16 {
    let code = count(glyphs);
    glyphs.push(glyph);
    code
}

fn count(glyphs: &[u16]) -> u16 {
    // What is drawn is cut to the page long before.
    u16::try_from(glyphs.len()).unwrap_or(u16::MAX)
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Gives the parts of a composite outline their numbers here; parts not met before are added.
fn renumber(outline: &mut [u8], glyphs: &mut Vec<u16>) {
    let word = |outline: &[u8], at: usize| {
        let bytes = outline.get(at..at + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    // A composite has a negative number of contours.
    if word(outline, 0).is_none_or(|contours| contours < 0x8000) {
        return;
    }
    let mut at = 10;
    while let (Some(flags), Some(part)) = (word(outline, at), word(outline, at + 2)) {
        let known = glyphs.iter().position(|glyph| *glyph == part);
        let code = known.and_then(|known| u16::try_from(known).ok());
        let code = code.unwrap_or_else(|| push(glyphs, part));
        outline[at + 2..at + 4].copy_from_slice(&code.to_be_bytes());
        at += 4 + if flags & WORDS != 0 { 4 } else { 2 };
        at += match flags & (SCALE | X_AND_Y_SCALE | TWO_BY_TWO) {
            SCALE => 2,
            X_AND_Y_SCALE => 4,
            TWO_BY_TWO => 8,
            _ => 0,
        };
        if flags & MORE == 0 {
            return;
        }
    }
}

/// The tables with their directory and checksums; they must be in the order of their tags.
fn font_file(tables: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    // searchRange, entrySelector and rangeShift are those of six tables.
    let mut file = vec![0, 1, 0, 0, 0, 6, 0, 64, 0, 2, 0, 32];
    debug_assert_eq!(tables.len(), 6);
    let mut offset = file.len() + 16 * tables.len();
    for (tag, table) in tables {
        file.extend_from_slice(*tag);
        file.extend(checksum(table).to_be_bytes());
        file.extend(u32::try_from(offset).unwrap_or_default().to_be_bytes());
        file.extend(length(table).to_be_bytes());
        offset += table.len().next_multiple_of(4);
    }
    for (_, table) in tables {
        file.extend_from_slice(table);
        file.resize(file.len().next_multiple_of(4), 0);
    }
    file
}

fn checksum(table: &[u8]) -> u32 {
    let words = table.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_be_bytes(word)
    });
    words.fold(0, u32::wrapping_add)
}
