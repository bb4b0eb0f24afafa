//! A QR symbol as a matrix of modules, to be drawn by whoever has a surface.

mod mask;

use qrcode::bits::encode_auto;
use qrcode::canvas::Canvas;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, ec};

/// Empty modules a reader needs on each side (ISO/IEC 18004).
pub const QUIET_ZONE: usize = 4;

/// Level M: a crease or a stain over 15 % of it is survived, and a code of 130 characters keeps modules of over
/// a millimetre on the printed ticket.
const LEVEL: EcLevel = EcLevel::M;

/// The modules of one symbol, without its quiet zone.
#[derive(Debug, Clone)]
pub struct Matrix {
    width: usize,
    dark: Vec<bool>,
}

impl Matrix {
    /// # Errors
    /// When the text is longer than the largest symbol holds.
    pub fn of(text: &str) -> Result<Self, QrError> {
        let bits = encode_auto(text.as_bytes(), LEVEL)?;
        let version = bits.version();
        let (data, correction) = ec::construct_codewords(&bits.into_bytes(), version, LEVEL)?;
        let mut canvas = Canvas::new(version, LEVEL);
        canvas.draw_all_functional_patterns();
        canvas.draw_data(&data, &correction);
        let width = usize::from(version.width().unsigned_abs());
        canvas.apply_mask(mask::best(&canvas, width));
        let modules = canvas.into_colors().into_iter();
        let dark = modules.map(|color| color == Color::Dark).collect();
        Ok(Self { width, dark })
    }

    /// Modules per side, quiet zone included.
    pub fn full_width(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }

    /// Whether the module is dark; coordinates include the quiet zone.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_ZONE).filter(|&at| at < self.width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => self.dark[y * self.width + x],
            _ => false,
        }
    }

    /// Horizontal runs of dark modules as (x, y, length); coordinates include the quiet zone. Drawing runs instead
    /// of single squares leaves no hairlines between neighbours.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::with_capacity(self.dark.len() / 3);
        for (y, row) in self.dark.chunks(self.width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|left, right| left == right) {
                if run[0] {
                    runs.push((x + QUIET_ZONE, y + QUIET_ZONE, run.len()));
                }
                x += run.len();
            }
        }
        runs
    }
}
