use serde::Serialize;

/// The life of an event: `inactive ⇄ active → cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// A draft, or paused.
    Inactive,
    Active,
    /// Final.
    Cancelled,
}

impl EventStatus {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Inactive, Self::Active, Self::Cancelled]
            .into_iter()
            .find(|s| s.word() == word)
    }
}
