//! A QR symbol as a matrix of modules, to be drawn by whoever has a surface.

use qrcode::{Color, EcLevel, QrCode};

/// Empty modules a reader needs on each side (ISO/IEC 18004).
pub const QUIET_ZONE: usize = 4;

/// The modules of one symbol, without its quiet zone.
#[derive(Debug, Clone)]
pub struct Matrix {
    width: usize,
    dark: Vec<bool>,
}

impl Matrix {
    /// Level M: a crease or a stain over 15 % of it is survived, and a code of 130 characters keeps modules of over
    /// a millimetre on the printed ticket.
    ///
    /// # Errors
    /// When the text is longer than the largest symbol holds.
    pub fn of(text: &str) -> Result<Self, qrcode::types::QrError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
        let width = code.width();
        let dark = code
            .into_colors()
            .into_iter()
            .map(|color| color == Color::Dark)
            .collect();
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
        let mut runs = Vec::new();
        for y in 0..self.full_width() {
            let mut x = 0;
            while x < self.full_width() {
                let length = (x..self.full_width())
                    .take_while(|&x| self.is_dark(x, y))
                    .count();
                if length > 0 {
                    runs.push((x, y, length));
                }
                x += length + 1;
            }
        }
        runs
    }
}
