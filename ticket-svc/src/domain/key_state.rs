use serde::Serialize;

/// The life of a key that signs codes: `active → retired → revoked`, or `active → revoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Signs.
    Active,
    /// Signs no more; what it signed stays valid.
    Retired,
    /// Nothing that it signed is valid.
    Revoked,
}

impl KeyState {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Retired, Self::Revoked]
            .into_iter()
            .find(|state| state.word() == word)
    }
}
