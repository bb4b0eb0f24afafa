//! How guests may cancel what they have paid.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// Before the event begins; none: they may not.
    pub until_hours: Option<i32>,
    /// What is kept of their money, in parts per million.
    pub fee_ppm: i32,
}

impl Cancellation {
    pub const NONE: Self = Self {
        until_hours: None,
        fee_ppm: 0,
    };
}
