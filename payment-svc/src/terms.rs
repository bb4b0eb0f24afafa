//! The terms on which orders are placed here.

use std::path::Path;

use anyhow::Context as _;

const TEXT_MAX_BYTES: usize = 100_000;
/// Of the text's SHA-256, in hexadecimal.
const VERSION_CHARS: usize = 16;

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Made from the text: another text is another version.
    pub version: String,
    pub text: String,
}

impl Terms {
    /// Reads the file of the setting.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = || format!("TERMS_FILE {}", path.display());
        let text = std::fs::read_to_string(path).with_context(file)?;
        Self::of(&text).with_context(file)
    }

    fn of(text: &str) -> anyhow::Result<Self> {
        let text = text.replace("\r\n", "\n").trim().to_owned();
        anyhow::ensure!(!text.is_empty(), "is empty");
        anyhow::ensure!(
            text.len() <= TEXT_MAX_BYTES,
            "is longer than {TEXT_MAX_BYTES} bytes"
        );
        anyhow::ensure!(!text.contains('\0'), "is no plain text");
        let mut version = base::hex(&base::digest(text.as_bytes()));
        version.truncate(VERSION_CHARS);
        Ok(Self { version, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_of_the_text() {
        let one = Terms::of("Be on time.\n").unwrap();
        assert_eq!(one.text, "Be on time.");
        assert_eq!(one.version.len(), VERSION_CHARS);
        assert_eq!(
            Terms::of("Be on time.\r\n\r\n").unwrap().version,
            one.version
        );
        assert_ne!(Terms::of("Be in time.").unwrap().version, one.version);
        for bad in ["", " \n", "a\0b", &"x".repeat(TEXT_MAX_BYTES + 1)] {
            assert!(Terms::of(bad).is_err());
        }
    }
}
