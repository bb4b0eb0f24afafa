use std::time::Duration;

/// Above what honest members open to one another by far.
const INTERNAL_CONNECTIONS_MAX: usize = 1024;
const EDGE_CONNECTIONS_MAX: usize = 8192;
/// What one customer is given of IPv6.
const CUSTOMER_BITS: u32 = 56;
/// Members are not customers: a whole cluster may have one /56.
const ADDRESS_BITS: u32 = 128;
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// A phone in a tunnel comes back sooner.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than proxies keep an idle connection to us (60 s is usual): who closes first should be
/// the one who sends, or a request meets a closing socket.
const EDGE_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Members connect again now and then, so that load finds replicas that came later.
const INTERNAL_AGE: Duration = Duration::from_secs(600);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
const RESET_STREAMS_MAX: usize = 100_000;

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// For browsers and proxies.
    Http1,
    /// For gRPC between members, without TLS negotiation.
    Http2,
}

/// How long and how much: the rules for every connection of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    pub protocol: Protocol,
    /// Connections open at once; one more is refused.
    pub connections_max: usize,
    /// So many of them from one address, or one network of IPv6; 0: no limit.
    pub connections_per_address_max: usize,
    /// How much of an IPv6 address tells one such network from another.
    pub ipv6_network_bits: u32,
    /// From the accept to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte of a request to the end of its headers; HTTP/2: of the handshake.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body. HTTP/1 only: gRPC has deadlines.
    pub body_timeout: Duration,
    /// From an answer to the next request. HTTP/1 only: on HTTP/2, pings find out who is gone.
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of an answer that is there for it. HTTP/1 only: on HTTP/2 that
    /// is a matter of each call.
    pub write_timeout: Duration,
    /// When a connection is asked to end, give or take a tenth, so that not all end at once.
    pub connection_age: Option<Duration>,
    /// How long open requests may go on after the drain began.
    pub drain_timeout: Duration,
    /// HTTP/2: how many streams that the peer reset may wait for their handler to notice, and how
    /// many we may reset for errors, before the connection is closed as hostile. Honest bursts of
    /// cancelled calls reach the small defaults of the library and hurt every other call.
    pub reset_streams_max: usize,
}

impl Limits {
    /// For strangers: HTTP/1.1.
    pub fn edge() -> Self {
        Self {
            protocol: Protocol::Http1,
            connections_max: EDGE_CONNECTIONS_MAX,
            ipv6_network_bits: CUSTOMER_BITS,
            idle_timeout: EDGE_IDLE_TIMEOUT,
            connection_age: None,
            ..Self::internal()
        }
    }

    /// For members of the mesh, who are trusted not to flood: HTTP/2.
    pub fn internal() -> Self {
        Self {
            protocol: Protocol::Http2,
            connections_max: INTERNAL_CONNECTIONS_MAX,
            connections_per_address_max: 0,
            ipv6_network_bits: ADDRESS_BITS,
            first_byte_timeout: FIRST_BYTE_TIMEOUT,
            header_timeout: HEADER_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            idle_timeout: EDGE_IDLE_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            connection_age: Some(INTERNAL_AGE),
            drain_timeout: DRAIN_TIMEOUT,
            reset_streams_max: RESET_STREAMS_MAX,
        }
    }

    /// The same where whoever reaches the port may begin a handshake: no address has all the places for it.
    pub fn at_most_from_one_address(self, connections_per_address_max: usize) -> Self {
        Self {
            connections_per_address_max,
            ..self
        }
    }

    /// The age of the connection with this number: spread evenly, without a random source.
    pub(crate) fn age_of(&self, number: u64) -> Option<Duration> {
        const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;
        let per_mille = (number.wrapping_mul(GOLDEN_RATIO) >> 32) % 201;
        let per_mille = u32::try_from(per_mille).unwrap_or_default();
        self.connection_age
            .map(|age| age * (900 + per_mille) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_by_a_tenth_to_both_sides() {
        let limits = Limits {
            connection_age: Some(Duration::from_secs(1000)),
            ..Limits::internal()
        };
        let mut ages: Vec<_> = (0..100)
            .map(|number| limits.age_of(number).unwrap())
            .collect();
        ages.sort();
        ages.dedup();
        assert!(ages.len() > 50, "{}", ages.len());
        assert!(ages[0] >= Duration::from_secs(900) && ages[0] < Duration::from_secs(920));
        let oldest = ages[ages.len() - 1];
        assert!(oldest <= Duration::from_secs(1100) && oldest > Duration::from_secs(1080));
    }
}
