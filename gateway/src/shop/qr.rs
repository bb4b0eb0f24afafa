//! A ticket's code as the path of an inline SVG.

use minijinja::{Value, context};
use qrcode::{Color, EcLevel, QrCode, types::QrError};

/// Empty modules that a reader needs on each side (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;

/// `{size, path}`: the side of the view box in modules, and one stroke per run of dark modules.
pub fn symbol(code: &str) -> Result<Value, QrError> {
    // Level M survives a scratched screen.
    let symbol = QrCode::with_error_correction_level(code, EcLevel::M)?;
    let width = symbol.width();
    let colors = symbol.into_colors();
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                let (left, top) = (x + QUIET_MODULES, y + QUIET_MODULES);
                path.push_str(&format!("M{left} {top}h{0}v1h-{0}z", run.len()));
            }
            x += run.len();
        }
    }
    Ok(context! { size => width + 2 * QUIET_MODULES, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: usize = 4;

    /// Paints the path as a browser would and reads it as a scanner would.
    /// Of docs/ticket-codes.json.
    const CODE: &str = "BX2$Y88IH100+80:3N4VF77E88G000000100100000L+VWSLLVBL/E66BG 43CFV/IT54GB6MF9::RYW8YS7-$\
                        CIMVLQOD*NWG206RRUBJ1S999IRQPQH.-SA-7MWIL.6$.05QC8H0";

    #[test]
    fn a_code_has_a_small_symbol() {
        let size = symbol(CODE).unwrap().get_attr("size").unwrap();
        assert_eq!(size.to_string(), (41 + 2 * QUIET_MODULES).to_string());
    }

    #[test]
    fn a_scanner_reads_the_code() {
        for code in [CODE, "BX1", "BX2 TWO  BLANKS "] {
            read(code);
        }
    }

    fn read(code: &str) {
        let symbol = symbol(code).unwrap();
        let size: usize = symbol
            .get_attr("size")
            .unwrap()
            .to_string()
            .parse()
            .unwrap();
        let path = symbol.get_attr("path").unwrap().to_string();
        let mut dark = vec![false; size * size];
        for run in path.split('M').skip(1) {
            let numbers: Vec<usize> = run
                .split([' ', 'h', 'v', '-', 'z'])
                .filter_map(|n| n.parse().ok())
                .collect();
            let [x, y, length, 1, back] = numbers[..] else {
                panic!("{run}")
            };
            assert_eq!(length, back);
            dark[y * size + x..y * size + x + length].fill(true);
        }
        let side = size * SCALE;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            if dark[y / SCALE * size + x / SCALE] {
                0
            } else {
                255
            }
        });
        let (_, content) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(content, code);
    }
}
