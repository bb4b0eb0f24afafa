//! How many connections each address has: one must not take the room of all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) struct Crowd {
    /// 0: no limit.
    most: usize,
    ipv6_network_bits: u32,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection, until it is dropped.
pub(crate) struct Member {
    crowd: Arc<Crowd>,
    network: IpAddr,
}

impl Crowd {
    pub(crate) fn new(most: usize, ipv6_network_bits: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            ipv6_network_bits,
            open: Mutex::default(),
        })
    }

    /// None if its address has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Member> {
        let network = network(address, self.ipv6_network_bits);
        let mut open = self.open();
        let own = open.entry(network).or_insert(0);
        if self.most > 0 && *own >= self.most {
            return None;
        }
        *own += 1;
        let crowd = self.clone();
        Some(Member { crowd, network })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        if let Some(own) = open.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.network);
            }
        }
    }
}

fn network(address: IpAddr, ipv6_network_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let rest = Ipv6Addr::BITS.saturating_sub(ipv6_network_bits);
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_and_nothing_stays() {
        let crowd = Crowd::new(2, 56);
        let enter = |address: &str| crowd.enter(address.parse().unwrap());
        let first = enter("2001:db8:0:1::1").unwrap();
        let second = enter("2001:db8:0:2::9").unwrap();
        assert!(enter("2001:db8:0:ff::3").is_none());
        let other = enter("192.0.2.1").unwrap();
        drop(first);
        let third = enter("2001:db8:0:ff::3").unwrap();
        drop((second, third, other));
        assert!(crowd.open().is_empty());
    }

    #[test]
    fn members_of_one_network_are_not_one() {
        let crowd = Crowd::new(1, 128);
        let enter = |address: &str| crowd.enter(address.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        let second = enter("2001:db8::2").unwrap();
        assert!(enter("2001:db8::1").is_none());
        drop((first, second));
    }

    #[test]
    fn zero_is_no_limit() {
        let crowd = Crowd::new(0, 56);
        let address = "192.0.2.1".parse().unwrap();
        let all: Vec<_> = (0..1_000).map(|_| crowd.enter(address).unwrap()).collect();
        assert_eq!(crowd.open()[&address], all.len());
    }
}
