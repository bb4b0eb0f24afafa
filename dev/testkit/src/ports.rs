use crate::keys::random_text;
use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;

/// Below these the kernel takes no ports for outgoing connections.
const QUIET: std::ops::Range<u16> = 12_000..32_000;

/// Free ports of 127.0.0.1 for servers that go away and come back: nobody's outgoing connection takes one meanwhile.
pub fn quiet_ports(count: usize) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    while ports.len() < count {
        let dice = RandomState::new().hash_one(random_text(8));
        let width = u64::from(QUIET.end - QUIET.start);
        let port = QUIET.start + u16::try_from(dice % width).expect("less than the width");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ports.insert(port);
        }
    }
    ports.into_iter().collect()
}
