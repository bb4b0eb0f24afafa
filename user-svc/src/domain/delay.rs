use time::Duration;

/// How wrong passwords slow down the next one. Nobody is locked out: the longest wait is bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    /// So many cost nothing.
    pub(crate) free: u32,
    pub(crate) longest: Duration,
}

/// The owner's own mistakes, from where they were before.
pub(crate) const AT_HOME: Delay = Delay {
    free: 5,
    longest: Duration::minutes(1),
};
/// Whoever tries one account from anywhere else, all together. As many are free as at home: where somebody is
/// made to wait for the first time must not tell that the account is known there.
pub(crate) const ELSEWHERE: Delay = Delay {
    free: AT_HOME.free,
    longest: Duration::minutes(15),
};
/// Whoever tries any accounts from one network.
pub(crate) const FROM_NETWORK: Delay = Delay {
    free: 20,
    longest: Duration::minutes(15),
};
/// Codes of an account's second factor. Only who knows its password gets here, so strangers cannot shut the
/// owner out; and a million codes are not tried out at one an hour.
pub(crate) const CODES: Delay = Delay {
    free: 5,
    longest: Duration::hours(1),
};
/// After so long without a mistake the count begins anew.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::hours(24);
/// A network is known for so long after its last sign-in.
pub(crate) const NETWORK_KNOWN_FOR: Duration = Duration::days(60);

impl Delay {
    /// What the next one waits after each mistake, in seconds: 0 for the free ones, then 1, 2, 4 … The last one
    /// is for all that follow, too.
    pub(crate) fn waits(self) -> Vec<f64> {
        let mut waits = vec![0.0; self.free as usize];
        let mut wait = Duration::seconds(1);
        while wait < self.longest {
            waits.push(wait.as_seconds_f64());
            wait *= 2;
        }
        waits.push(self.longest.as_seconds_f64());
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_longest() {
        let home = AT_HOME.waits();
        assert_eq!(
            home,
            [
                0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0
            ]
        );
        assert_eq!(ELSEWHERE.waits().last(), Some(&900.0));
        assert_eq!(CODES.waits().last(), Some(&3600.0));
        assert_eq!(FROM_NETWORK.waits()[19..22], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn the_first_wait_does_not_tell_where_an_account_is_known() {
        let known = AT_HOME.waits();
        let shared = known.len() - 1;
        assert_eq!(known[..shared], ELSEWHERE.waits()[..shared]);
    }
}
