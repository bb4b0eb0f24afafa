//! What happens to the sandbox's webhooks on their way, so that tests see what real networks do.

use std::{str::FromStr, time::Duration};

use base::Sources;

/// What disorder holds back is held back up to this long, so that later webhooks overtake it.
const DISORDER_MAX: Duration = Duration::from_secs(3);

/// None of them by default. Probabilities are 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WebhookFaults {
    pub delay: Duration,
    pub loss: f64,
    pub duplicate: f64,
    pub disorder: f64,
}

/// What happens to one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// It is never sent.
    pub lost: bool,
    pub after: Duration,
    /// How often it is sent again after it has arrived.
    pub copies: i32,
}

impl WebhookFaults {
    pub(super) fn fate(&self, sources: &Sources) -> Fate {
        let happens = |probability: f64| roll(sources) < probability;
        let held_back = if happens(self.disorder) {
            DISORDER_MAX.mul_f64(roll(sources))
        } else {
            Duration::ZERO
        };
        Fate {
            lost: happens(self.loss),
            after: self.delay + held_back,
            copies: i32::from(happens(self.duplicate)),
        }
    }
}

/// From 0 to less than 1.
pub(super) fn roll(sources: &Sources) -> f64 {
    f64::from(u32::from_be_bytes(sources.bytes())) / (f64::from(u32::MAX) + 1.0)
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be like delay_ms=500,loss=0.1,duplicate=0.2,disorder=0.3")]
pub struct InvalidFaults;

impl FromStr for WebhookFaults {
    type Err = InvalidFaults;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part.split_once('=').ok_or(InvalidFaults)?;
            let probability = || match value.parse::<f64>() {
                Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
                _ => Err(InvalidFaults),
            };
            match name {
                "delay_ms" => {
                    faults.delay = Duration::from_millis(value.parse().map_err(|_| InvalidFaults)?);
                }
                "loss" => faults.loss = probability()?,
                "duplicate" => faults.duplicate = probability()?,
                "disorder" => faults.disorder = probability()?,
                _ => return Err(InvalidFaults),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_probabilities_and_a_delay() {
        let faults: WebhookFaults = "delay_ms=500, loss=0.1,duplicate=1,disorder=0"
            .parse()
            .unwrap();
        assert_eq!(faults.delay, Duration::from_millis(500));
        assert_eq!(
            (faults.loss, faults.duplicate, faults.disorder),
            (0.1, 1.0, 0.0)
        );
        assert_eq!("".parse(), Ok(WebhookFaults::default()));
        for bad in [
            "loss",
            "loss=2",
            "loss=-1",
            "loss=NaN",
            "delay_ms=-1",
            "x=1",
        ] {
            assert_eq!(bad.parse::<WebhookFaults>(), Err(InvalidFaults), "{bad}");
        }
    }

    #[test]
    fn fate_follows_the_probabilities() {
        let (sources, _) = Sources::for_tests(3);
        let fates = |text: &str| -> Vec<Fate> {
            let faults: WebhookFaults = text.parse().unwrap();
            (0..1000).map(|_| faults.fate(&sources)).collect()
        };
        let calm = Fate {
            lost: false,
            after: Duration::ZERO,
            copies: 0,
        };
        assert!(fates("").iter().all(|fate| *fate == calm));
        assert!(fates("loss=1").iter().all(|fate| fate.lost));
        let rough = fates("delay_ms=10,loss=0.5,duplicate=0.25,disorder=0.5");
        let count = |is: fn(&Fate) -> bool| rough.iter().filter(|fate| is(fate)).count();
        assert!((400..600).contains(&count(|fate| fate.lost)));
        assert!((180..320).contains(&count(|fate| fate.copies == 1)));
        let late = |fate: &Fate| fate.after > Duration::from_millis(10);
        assert!((400..600).contains(&rough.iter().filter(|fate| late(fate)).count()));
    }
}
