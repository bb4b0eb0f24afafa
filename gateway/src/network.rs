//! From which network a request comes, as limits count it: an IPv4 address, or the /56 of an IPv6 one,
//! which is what one household is given.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, HeaderName, header, request::Parts};
use listen::RemoteAddr;

use crate::{app::Shared, problem::Problem};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const IPV6_NETWORK_BITS: u32 = 56;
/// Between two lines about the same.
const SUSPICION_PERIOD: Duration = Duration::from_secs(60);

/// The proxies whose word about their clients is believed: addresses and ranges, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Range>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    address: u128,
    bits: u32,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be addresses or ranges such as 10.0.0.0/8, separated by commas")]
pub struct ProxiesError;

impl FromStr for Proxies {
    type Err = ProxiesError;

    fn from_str(text: &str) -> Result<Self, ProxiesError> {
        let parts = text.split(',').map(str::trim);
        let ranges = parts.filter(|part| !part.is_empty()).map(range);
        ranges.collect::<Option<_>>().map(Self).ok_or(ProxiesError)
    }
}

fn range(text: &str) -> Option<Range> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let size = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(size);
    (bits <= size).then(|| Range {
        address: number(address),
        bits: bits + 128 - size,
    })
}

/// IPv4 in the form that IPv6 has for it, so that one comparison does.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn head(number: u128, bits: u32) -> u128 {
    number.checked_shr(128 - bits).unwrap_or(0)
}

impl Proxies {
    fn trust(&self, address: IpAddr) -> bool {
        let within =
            |range: &Range| head(number(address), range.bits) == head(range.address, range.bits);
        self.0.iter().any(within)
    }

    /// Read from the right: what stands left of an address that is not trusted is anybody's word.
    pub fn network(&self, extensions: &Extensions, headers: &HeaderMap) -> String {
        self.client(extensions, headers).map_or(String::new(), name)
    }

    /// What speaks for others here is not in the list: a stranger, or a proxy that was forgotten.
    pub fn may_lack_one(&self, extensions: &Extensions, headers: &HeaderMap) -> bool {
        let peer = extensions.get::<RemoteAddr>();
        let speaks_for_others =
            headers.contains_key(FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        speaks_for_others && peer.is_some_and(|peer| !self.trust(peer.0.ip().to_canonical()))
    }

    /// The same for what counts every request; none where nobody knows.
    pub fn network_id(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<NetworkId> {
        self.client(extensions, headers).map(NetworkId::of)
    }

    /// The client itself; none where nobody knows.
    pub fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let RemoteAddr(peer) = extensions.get::<RemoteAddr>()?;
        let mut client = peer.ip().to_canonical();
        let told = headers.get_all(FORWARDED_FOR).iter();
        let told: Vec<&str> = told
            // What cannot be read ends the walk, as nonsense does.
            .map(|value| value.to_str().unwrap_or("unreadable"))
            .flat_map(|value| value.split(','))
            .collect();
        for text in told.into_iter().rev() {
            match hop(text.trim()) {
                Some(address) if self.trust(client) => client = address.to_canonical(),
                _ => break,
            }
        }
        Some(client)
    }
}

/// An address as proxies write it: some add the port that the client called from, and some put IPv6 into
/// brackets even without one.
fn hop(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || {
        let address = text.strip_prefix('[')?.strip_suffix(']')?;
        address.parse().ok().map(IpAddr::V6)
    };
    address.or_else(with_port).or_else(in_brackets)
}

fn name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(_) => {
            let NetworkId(network) = NetworkId::of(address);
            format!("{}/{IPV6_NETWORK_BITS}", Ipv6Addr::from_bits(network))
        }
    }
}

/// The same in few bytes, for what counts every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkId(u128);

impl NetworkId {
    pub fn of(address: IpAddr) -> Self {
        let rest = match address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => 128 - IPV6_NETWORK_BITS,
        };
        Self((number(address) >> rest) << rest)
    }

    #[cfg(test)]
    pub const fn of_tests(number: u128) -> Self {
        Self(number)
    }
}

/// The network of a request; empty where nobody knows.
pub struct Network(pub String);

impl FromRequestParts<Shared> for Network {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        Ok(Self(app.proxies.network(&parts.extensions, &parts.headers)))
    }
}

/// The same for what counts in memory.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// None where nobody knows.
    pub network: Option<NetworkId>,
    /// It may be a proxy that `TRUSTED_PROXIES` does not name, and everybody behind it.
    pub may_be_a_crowd: bool,
}

impl FromRequestParts<Shared> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let (proxies, headers) = (&app.proxies, &parts.headers);
        Ok(Self {
            network: proxies.network_id(&parts.extensions, headers),
            may_be_a_crowd: proxies.may_lack_one(&parts.extensions, headers),
        })
    }
}

/// Without its proxy in `TRUSTED_PROXIES` a whole sale is one network and is throttled as one. That must
/// be seen in the log; but anybody can send such a header, so it is said now and then.
#[derive(Debug, Default)]
pub struct Suspicion {
    said: Mutex<Option<Instant>>,
}

impl Suspicion {
    /// `what` the network does too much of. True if it was said.
    pub fn tell(&self, what: &'static str, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = |said: Instant| now.saturating_duration_since(said) < SUSPICION_PERIOD;
        if said.is_some_and(lately) {
            return false;
        }
        *said = Some(now);
        tracing::warn!(
            "a network {what}, and its requests have an X-Forwarded-For that is not believed; if \
             they come through a proxy, TRUSTED_PROXIES has to name it"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let proxies: Proxies = proxies.parse().unwrap();
        let mut extensions = Extensions::new();
        let peer: IpAddr = peer.parse().unwrap();
        extensions.insert(RemoteAddr((peer, 4000).into()));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        proxies.network(&extensions, &headers)
    }

    #[test]
    fn nobody_is_believed_unasked() {
        assert_eq!(network("", "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(
            network("10.0.0.0/8", "192.0.2.1", &["203.0.113.9"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn a_trusted_proxy_is_believed_from_the_right() {
        let network = |forwarded: &[&str]| network("10.0.0.0/8,fd00::/8", "10.1.2.3", forwarded);
        assert_eq!(network(&["203.0.113.9"]), "203.0.113.9");
        assert_eq!(network(&["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            network(&["1.1.1.1", "203.0.113.9, 10.9.9.9"]),
            "203.0.113.9"
        );
        assert_eq!(network(&["203.0.113.9, fd00::1"]), "203.0.113.9");
        assert_eq!(network(&["nonsense"]), "10.1.2.3");
        assert_eq!(network(&["203.0.113.9, nonsense"]), "10.1.2.3");
        assert_eq!(network(&[]), "10.1.2.3");
    }

    #[test]
    fn ports_and_brackets_of_proxies_are_read() {
        let network = |forwarded: &[&str]| network("10.0.0.0/8,fd00::/8", "10.1.2.3", forwarded);
        assert_eq!(network(&["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(network(&["1.1.1.1, 203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(
            network(&["203.0.113.9:4711, [fd00::1]:443, 10.9.9.9:80"]),
            "203.0.113.9"
        );
        for told in ["[2001:db8::1]:4711", "[2001:db8::1]", "2001:db8::1"] {
            assert_eq!(network(&[told]), "2001:db8::/56", "{told}");
        }
        for nonsense in ["203.0.113.9:", "[203.0.113.9]", "203.0.113.9:70000", "[]"] {
            assert_eq!(network(&[nonsense]), "10.1.2.3", "{nonsense}");
        }
    }

    #[test]
    fn who_speaks_for_others_unasked_may_be_a_proxy_and_it_is_said_now_and_then() {
        let proxies: Proxies = "10.0.0.0/8".parse().unwrap();
        let doubts = |peer: &str, header: &'static str| {
            let mut extensions = Extensions::new();
            let peer: IpAddr = peer.parse().unwrap();
            extensions.insert(RemoteAddr((peer, 4000).into()));
            let mut headers = HeaderMap::new();
            headers.insert(header, "for=203.0.113.9".parse().unwrap());
            proxies.may_lack_one(&extensions, &headers)
        };
        assert!(doubts("192.0.2.1", "x-forwarded-for") && doubts("192.0.2.1", "forwarded"));
        assert!(!doubts("10.0.0.1", "x-forwarded-for") && !doubts("192.0.2.1", "via"));

        let (suspicion, start) = (Suspicion::default(), Instant::now());
        assert!(suspicion.tell("asks too often", start));
        assert!(!suspicion.tell("asks too often", start + SUSPICION_PERIOD / 2));
        assert!(suspicion.tell("asks too often", start + SUSPICION_PERIOD));
    }

    #[test]
    fn a_household_is_one_network() {
        let of = |peer| network("", peer, &[]);
        assert_eq!(of("2001:db8:1:2ff::1"), of("2001:db8:1:200:aaaa::2"));
        assert_ne!(of("2001:db8:1:2ff::1"), of("2001:db8:1:300::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert!(of("2001:db8::1").len() <= 64);
    }

    #[test]
    fn settings() {
        for good in ["", "10.0.0.0/8", "127.0.0.1, ::1 ", "0.0.0.0/0,::/0"] {
            assert!(good.parse::<Proxies>().is_ok(), "{good}");
        }
        for bad in ["x", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert_eq!(bad.parse::<Proxies>(), Err(ProxiesError), "{bad}");
        }
        let all: Proxies = "0.0.0.0/0".parse().unwrap();
        assert!(all.trust("8.8.8.8".parse().unwrap()));
        assert!(!all.trust("2001:db8::1".parse().unwrap()));
    }
}
