//! Drawn pages, compared with those that somebody looked at and found good.

#![expect(clippy::unwrap_used, reason = "the helpers are test code, too")]

use std::path::PathBuf;

/// Side of the squares that are compared, in dots. One of them holds the whole height of a line of text, as the next one
/// is half a square further.
const TILE: usize = 16;
const STEP: usize = TILE / 2;
/// By so much of 255 the mean grey of a tile may differ.
const TOLERANCE: u32 = 12;

/// A drawn page, 0 is black.
#[derive(Debug)]
pub struct Page {
    pub width: usize,
    pub height: usize,
    dots: Vec<u8>,
}

impl Page {
    pub fn read(image: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(image))
            .read_info()
            .unwrap();
        let mut samples = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut samples).unwrap();
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        // Grey, also where it is written as three colours.
        let per_dot = info.color_type.samples();
        Self {
            width: info.width as usize,
            height: info.height as usize,
            dots: samples.into_iter().step_by(per_dot).collect(),
        }
    }

    /// The page of this name as it was found good.
    pub fn found_good(name: &str) -> Self {
        Self::read(&std::fs::read(file(name)).unwrap())
    }

    pub fn dot(&self, x: usize, y: usize) -> u8 {
        self.dots[y * self.width + x]
    }
}

/// The ink of everything above and left of each dot.
struct Ink {
    width: usize,
    height: usize,
    sums: Vec<u32>,
}

impl Ink {
    fn of(page: &Page) -> Self {
        let (width, height) = (page.width, page.height);
        let stride = width + 1;
        let mut sums = vec![0; stride * (height + 1)];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                row += u32::from(255 - page.dot(x, y));
                sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
            }
        }
        Self {
            width,
            height,
            sums,
        }
    }

    /// That of the tile with this corner. What lies outside of the page is paper.
    fn tile(&self, x: usize, y: usize) -> u32 {
        let sum = |x: usize, y: usize| {
            self.sums[y.min(self.height) * (self.width + 1) + x.min(self.width)]
        };
        sum(x, y) + sum(x + TILE, y + TILE) - sum(x + TILE, y) - sum(x, y + TILE)
    }

    /// The least and the most of the tiles around this one that are at most one dot away.
    fn around(&self, x: usize, y: usize) -> (u32, u32) {
        let near = |at: usize| at.saturating_sub(1)..=at + 1;
        let tiles = near(y).flat_map(|y| near(x).map(move |x| self.tile(x, y)));
        tiles.fold((u32::MAX, 0), |(least, most), ink| {
            (least.min(ink), most.max(ink))
        })
    }
}

/// The corners of the tiles that have more ink than before, or less.
///
/// What passes is what two versions of poppler, or two programs, make of one page: other shades along the edges of
/// letters and modules (up to 8 of 255 were seen, between poppler's own two ways of drawing, pdfium and MuPDF), and
/// everything up to one dot further. What does not pass is a line, a label, an amount or a symbol that is missing, new or
/// elsewhere: the faintest line of a receipt makes 17 of 255. Which letters a line has is not seen here; `pdftotext` reads
/// them.
pub fn differing_tiles(before: &Page, now: &Page) -> Vec<(usize, usize)> {
    let size = |page: &Page| (page.width, page.height);
    assert_eq!(size(before), size(now));
    let (inked, tolerance) = (
        Ink::of(now),
        TOLERANCE * u32::try_from(TILE * TILE).unwrap(),
    );
    let before = Ink::of(before);
    let rows = (0..now.height).step_by(STEP);
    let corners = rows.flat_map(|y| (0..now.width).step_by(STEP).map(move |x| (x, y)));
    corners
        .filter(|&(x, y)| {
            let ((least, most), ink) = (before.around(x, y), inked.tile(x, y));
            ink + tolerance < least || ink > most + tolerance
        })
        .collect()
}

/// The page is as it was found good. `GOLDEN=write` keeps the page that is.
pub fn looks_as_before(name: &str, image: &[u8]) {
    let file = file(name);
    if std::env::var("GOLDEN").is_ok_and(|what| what == "write") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, image).unwrap();
    }
    let tiles = differing_tiles(&Page::found_good(name), &Page::read(image));
    if let Some((x, y)) = tiles.first() {
        let seen = std::env::temp_dir().join(format!("boxoffice-golden-{name}.png"));
        std::fs::write(&seen, image).unwrap();
        let (seen, file, count) = (seen.display(), file.display(), tiles.len());
        panic!("{count} places of {seen} are not as in {file}, the first at dot {x}, {y}");
    }
}

fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(format!("{name}.png"))
}
