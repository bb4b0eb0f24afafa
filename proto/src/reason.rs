//! The word of an error reason, as it stands in `ErrorInfo`, in problem+json and in docs/errors/.

use crate::common::{Certainty, ErrorReason};

const REASON_PREFIX: &str = "ERROR_REASON_";
const CERTAINTY_PREFIX: &str = "CERTAINTY_";

impl ErrorReason {
    /// `SOLD_OUT` for `ERROR_REASON_SOLD_OUT`.
    pub fn word(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(REASON_PREFIX).unwrap_or(name)
    }

    /// None for a word outside the closed list.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::from_str_name(&format!("{REASON_PREFIX}{word}"))
    }

    /// Every reason but the unspecified one.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=255).filter_map(|number| Self::try_from(number).ok())
    }
}

impl Certainty {
    /// `NOT_DONE` for `CERTAINTY_NOT_DONE`.
    pub fn word(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(CERTAINTY_PREFIX).unwrap_or(name)
    }

    /// Anything but the known words means unknown.
    pub fn from_word(word: &str) -> Self {
        Self::from_str_name(&format!("{CERTAINTY_PREFIX}{word}")).unwrap_or(Self::Unknown)
    }
}
