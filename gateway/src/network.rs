//! From which network a request comes, as limits count it: an IPv4 address, or the /56 of an IPv6 one,
//! which is what one household is given.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, HeaderName, request::Parts};
use listen::RemoteAddr;

use crate::{app::Shared, problem::Problem};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const IPV6_NETWORK_BITS: u32 = 56;

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
        headers.contains_key(FORWARDED_FOR)
            && peer.is_some_and(|peer| !self.trust(peer.0.ip().to_canonical()))
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
            match text.trim().parse::<IpAddr>() {
                Ok(address) if self.trust(client) => client = address.to_canonical(),
                _ => break,
            }
        }
        Some(client)
    }
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
pub struct Asker(pub Option<NetworkId>);

impl FromRequestParts<Shared> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let network = app.proxies.network_id(&parts.extensions, &parts.headers);
        Ok(Self(network))
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
