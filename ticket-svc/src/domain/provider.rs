//! What a guest may pay with.

/// The providers that the product knows; which of them are enabled is payment-svc's setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Sandbox,
    Stripe,
    /// A transfer or cash at the desk: days instead of minutes.
    Manual,
}

impl Provider {
    pub const ALL: [Self; 3] = [Self::Sandbox, Self::Stripe, Self::Manual];

    /// As it is stored and sent.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Stripe => "stripe",
            Self::Manual => "manual",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The first of the offered ones that the event takes; an event that names none takes all.
pub fn choose(offered: &[Provider], event_takes: &[Provider]) -> Option<Provider> {
    let taken = |kind: &&Provider| event_takes.is_empty() || event_takes.contains(*kind);
    offered.iter().find(taken).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Provider::{Manual, Sandbox, Stripe};

    #[test]
    fn the_offer_is_in_order_and_the_event_decides() {
        assert_eq!(choose(&[Stripe, Manual], &[]), Some(Stripe));
        assert_eq!(choose(&[Stripe, Manual], &[Manual, Stripe]), Some(Stripe));
        assert_eq!(choose(&[Stripe, Manual], &[Manual]), Some(Manual));
        assert_eq!(choose(&[Stripe], &[Manual, Sandbox]), None);
        assert_eq!(choose(&[], &[]), None);
    }

    #[test]
    fn stored_words_come_back() {
        for kind in Provider::ALL {
            assert_eq!(Provider::from_word(kind.word()), Some(kind));
        }
        assert_eq!(Provider::from_word("barter"), None);
    }
}
