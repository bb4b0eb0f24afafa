//! Which of the eight masks makes a symbol easiest to read (ISO/IEC 18004 §7.8.3). A whole row is looked at in one
//! step, which makes this a twentieth of the work that drawing a ticket would otherwise mostly be.

use std::sync::LazyLock;

use qrcode::canvas::{Canvas, MaskPattern, Module};

/// A row of modules, dark is 1, the first one is the lowest bit.
type Row = u128;

/// Symbols of more modules a side get the first mask: any mask can be read, and no ticket has so long a code.
const MAX_WIDTH: usize = 128;

/// The patterns repeat after so many rows.
const PERIOD: usize = 12;

const PATTERNS: [MaskPattern; 8] = [
    MaskPattern::Checkerboard,
    MaskPattern::HorizontalLines,
    MaskPattern::VerticalLines,
    MaskPattern::DiagonalLines,
    MaskPattern::LargeCheckerboard,
    MaskPattern::Fields,
    MaskPattern::Diamonds,
    MaskPattern::Meadow,
];

/// Modules that each pattern turns over.
static TURNED: LazyLock<[[Row; PERIOD]; 8]> = LazyLock::new(|| {
    std::array::from_fn(|pattern| {
        std::array::from_fn(|y| {
            let turned = (0..MAX_WIDTH).filter(|x| turns(pattern, *x, y));
            turned.fold(0, |row, x| row | 1 << x)
        })
    })
});

fn turns(pattern: usize, x: usize, y: usize) -> bool {
    match pattern {
        0 => (x + y).is_multiple_of(2),
        1 => y.is_multiple_of(2),
        2 => x.is_multiple_of(3),
        3 => (x + y).is_multiple_of(3),
        4 => (x / 3 + y / 2).is_multiple_of(2),
        5 => (x * y) % 2 + (x * y) % 3 == 0,
        6 => ((x * y) % 2 + (x * y) % 3).is_multiple_of(2),
        _ => ((x + y) % 2 + (x * y) % 3).is_multiple_of(2),
    }
}

/// For a symbol with its data drawn and no mask applied.
pub(super) fn best(canvas: &Canvas, width: usize) -> MaskPattern {
    if width > MAX_WIDTH {
        return PATTERNS[0];
    }
    let (plain, maskable) = read(canvas, width);
    let mut masked = plain.clone();
    let penalty = |pattern: &usize| {
        for (y, row) in masked.iter_mut().enumerate() {
            *row = plain[y] ^ (TURNED[*pattern][y % PERIOD] & maskable[y]);
        }
        penalty(&masked)
    };
    let best = (0..PATTERNS.len()).min_by_key(penalty);
    PATTERNS[best.unwrap_or_default()]
}

/// Dark modules, and those that a mask may turn over.
fn read(canvas: &Canvas, width: usize) -> (Vec<Row>, Vec<Row>) {
    let rows = (0..).take(width).map(|y| {
        let modules = (0..).take(width).enumerate();
        modules.fold((0, 0), |(dark, maskable), (bit, x)| {
            let module = canvas.get(x, y);
            let is_data = matches!(module, Module::Unmasked(_));
            (
                dark | Row::from(module.is_dark()) << bit,
                maskable | Row::from(is_data) << bit,
            )
        })
    });
    rows.unzip()
}

/// The standard's points for what confuses a reader; the format bits, which the mask decides, count as light.
fn penalty(rows: &[Row]) -> u32 {
    let width = rows.len();
    let all = Row::MAX >> (MAX_WIDTH - width);
    let mut points = 0;
    for (y, row) in rows.iter().enumerate() {
        let across = Line {
            at: |by: isize| match by {
                0.. => row >> by,
                _ => row << -by,
            },
            first: 1,
            five_fit: all >> 4,
            seven_fit: all >> 6,
        };
        let down = Line {
            at: |by: isize| {
                let found = y.checked_add_signed(by).and_then(|y| rows.get(y));
                found.copied().unwrap_or_default()
            },
            first: if y == 0 { all } else { 0 },
            five_fit: if y + 5 <= width { all } else { 0 },
            seven_fit: if y + 7 <= width { all } else { 0 },
        };
        points += across.penalty() + down.penalty();
    }
    let even = |row: Row| !(row ^ (row >> 1));
    for pair in rows.windows(2) {
        let blocks = even(pair[0]) & even(pair[1]) & !(pair[0] ^ pair[1]) & (all >> 1);
        points += 3 * blocks.count_ones();
    }
    let dark: u32 = rows.iter().map(|row| row.count_ones()).sum();
    let modules = u32::try_from(width * width).unwrap_or(u32::MAX);
    points + (dark * 200 / modules).abs_diff(100)
}

/// All modules of a row at once, each with those that follow it in one direction.
struct Line<At> {
    /// The modules so many places on, or back; outside of the symbol all is light.
    at: At,
    /// Modules with none before them.
    first: Row,
    /// Modules with at least four after them.
    five_fit: Row,
    /// Modules with at least six after them.
    seven_fit: Row,
}

impl<At: Fn(isize) -> Row> Line<At> {
    fn penalty(&self) -> u32 {
        let at = &self.at;
        let dark = at(0) & at(1) & at(2) & at(3) & at(4) & self.five_fit;
        let light = !(at(0) | at(1) | at(2) | at(3) | at(4)) & self.five_fit;
        // A run of five is three points, and each module more is one.
        let begins = (dark & !at(-1)) | (light & (at(-1) | self.first));
        let runs = dark.count_ones() + light.count_ones() + 2 * begins.count_ones();
        // What looks like the corner of a symbol, with light on one side of it.
        let corner = at(0) & !at(1) & at(2) & at(3) & at(4) & !at(5) & at(6) & self.seven_fit;
        let before = at(-1) | at(-2) | at(-3) | at(-4);
        let after = at(7) | at(8) | at(9) | at(10);
        runs + 40 * (corner & !(before & after)).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrcode::{EcLevel, Version, bits, ec};

    fn drawn(text: &str, version: Version) -> Canvas {
        let level = EcLevel::M;
        let mut bits = bits::Bits::new(version);
        bits.push_optimal_data(text.as_bytes()).unwrap();
        bits.push_terminator(level).unwrap();
        let (data, correction) =
            ec::construct_codewords(&bits.into_bytes(), version, level).unwrap();
        let mut canvas = Canvas::new(version, level);
        canvas.draw_all_functional_patterns();
        canvas.draw_data(&data, &correction);
        canvas
    }

    /// The same points, counted module by module.
    fn counted(rows: &[Row]) -> u32 {
        let side = rows.len();
        let dark = |x: usize, y: usize| rows[y] >> x & 1 == 1;
        let mut points = 0;
        for down in [false, true] {
            for line in 0..side {
                let at = |i: usize| if down { dark(line, i) } else { dark(i, line) };
                let modules: Vec<bool> = (0..side).map(at).collect();
                for run in modules.chunk_by(|a, b| a == b).filter(|run| run.len() >= 5) {
                    points += u32::try_from(run.len()).unwrap() - 2;
                }
                let corner = [true, false, true, true, true, false, true];
                for from in 0..=side - 7 {
                    let light = |range: std::ops::Range<usize>| !modules[range].contains(&true);
                    let before = light(from.saturating_sub(4)..from);
                    let after = light(from + 7..(from + 11).min(side));
                    if modules[from..from + 7] == corner && (before || after) {
                        points += 40;
                    }
                }
            }
        }
        for y in 1..side {
            for x in 1..side {
                let block = [dark(x, y - 1), dark(x - 1, y), dark(x - 1, y - 1)];
                points += 3 * u32::from(block.iter().all(|other| *other == dark(x, y)));
            }
        }
        let all: u32 = rows.iter().map(|row| row.count_ones()).sum();
        let modules = u32::try_from(side * side).unwrap();
        points + (all * 200 / modules).abs_diff(100)
    }

    #[test]
    fn rows_at_once_count_as_modules_one_by_one() {
        for (text, version) in [("BX2:TEST", 1), ("BX2:TEST", 7), ("x", 20), ("x", 27)] {
            let canvas = drawn(text, Version::Normal(version));
            let width = usize::from(Version::Normal(version).width().unsigned_abs());
            for pattern in PATTERNS {
                let mut masked = canvas.clone();
                masked.apply_mask(pattern);
                let (rows, _) = read(&masked, width);
                assert_eq!(penalty(&rows), counted(&rows), "{version} {pattern:?}");
            }
        }
    }

    #[test]
    fn a_mask_turns_what_the_library_turns() {
        for version in [1, 7, 27] {
            let canvas = drawn("BX2:TEST", Version::Normal(version));
            let width = usize::from(Version::Normal(version).width().unsigned_abs());
            let (plain, maskable) = read(&canvas, width);
            for (index, pattern) in PATTERNS.into_iter().enumerate() {
                let mut masked = canvas.clone();
                masked.apply_mask(pattern);
                let (rows, _) = read(&masked, width);
                for y in 0..width {
                    let turned = TURNED[index][y % PERIOD];
                    let ours = plain[y] ^ (turned & maskable[y]);
                    assert_eq!(ours & maskable[y], rows[y] & maskable[y], "{pattern:?} {y}");
                }
            }
        }
    }

    #[test]
    fn a_symbol_too_large_to_be_weighed_has_a_mask_all_the_same() {
        let version = Version::Normal(40);
        let canvas = drawn("x", version);
        let mask = best(&canvas, 177);
        assert!(matches!(mask, MaskPattern::Checkerboard), "{mask:?}");
    }
}
