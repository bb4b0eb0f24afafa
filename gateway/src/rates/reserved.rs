//! How many tickets one network may leave unpaid until a bank transfer arrives: that takes days, in which nobody else
//! can have them. Whoever pays at once is neither counted nor kept from it.

use std::time::{Duration, Instant};

use super::{
    Rates,
    buckets::{Buckets, Pace},
    came_to_nothing, most_within, too_many,
};
use crate::{
    network::NetworkId,
    problem::Problem,
    rest::types::{Order, OrderStatus},
};

const PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
const ONCE: Pace = Pace::within(1, 1, PERIOD);
/// As payment-svc calls a bank transfer, and cash at the desk.
const MANUAL: &str = "manual";
const TOO_MANY: &str = "From your network too many tickets wait to be paid by transfer. Pay another way, or come \
                        again later.";

pub(super) struct Reserved {
    /// None: no limit.
    pace: Option<Pace>,
    /// Remembered for a day, so in a table of their own.
    counted: Buckets,
}

#[derive(Hash)]
enum Counted<'a> {
    Network(NetworkId),
    /// However often it is placed or tried again.
    Order(&'a str),
    /// What was asked under it may have been done: a repeat is told, however much there is by now.
    Key(NetworkId, &'a str),
}

/// Whether an order may come to wait for a transfer: where nothing is said the concert chooses.
pub fn may_wait(provider: &str) -> bool {
    matches!(provider, "" | MANUAL)
}

impl Rates {
    /// Does what may leave an order unpaid for days, if the network has not left too many so. Counted afterwards, for
    /// nobody knows before what an order is paid with: many at once may go beyond, by no more than is set aside.
    pub async fn reserving<T>(
        &self,
        (network, key): (Option<NetworkId>, &str),
        reserves: impl Future<Output = Result<T, Problem>>,
        order: impl FnOnce(&T) -> &Order,
    ) -> Result<T, Problem> {
        let (Some(pace), Some(network)) = (self.reserved.pace, network) else {
            return reserves.await;
        };
        let counted = &self.reserved.counted;
        let (subject, key) = (|| Counted::Network(network), || Counted::Key(network, key));
        if !counted.owes(key(), Instant::now()) {
            let room = counted.take(subject(), pace, 1, Instant::now());
            room.map_err(|wait| too_many(TOO_MANY, wait))?;
            counted.give_back(subject(), pace, 1);
        }
        let done = reserves.await;
        let now = Instant::now();
        if !done.as_ref().is_err_and(came_to_nothing) {
            // Once is as good as twice.
            let _ = counted.take(key(), ONCE, 1, now);
        }
        let done = done?;
        let order = order(&done);
        let once = || counted.take(Counted::Order(&order.id), ONCE, 1, now);
        if waits(order) && once().is_ok() {
            let tickets = order.lines.iter().map(|line| line.quantity).sum();
            counted.charge(subject(), pace, tickets, now);
        }
        Ok(done)
    }
}

fn waits(order: &Order) -> bool {
    let payment = order.payment.as_ref();
    order.status == OrderStatus::AwaitingPayment
        && payment.is_some_and(|payment| payment.provider == MANUAL)
}

impl Reserved {
    /// So many tickets within a day; 0 is no limit.
    pub(super) fn new(most: u32, start: Instant) -> Self {
        Self {
            pace: most_within(most, PERIOD),
            counted: Buckets::new(start),
        }
    }
}
