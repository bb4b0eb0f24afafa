//! What belongs to the call in hand and must reach every call it causes: the deadline, the trace, and
//! the address that it came from.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use http::HeaderMap;
use telemetry::TraceId;

/// Taken off at each hop, so that the caller still has time to answer when its callee gives up.
const HOP_MARGIN: Duration = Duration::from_millis(50);

/// The client's address as the edge saw it. Members believe it of one another and of no operator, and the
/// edge of nobody.
pub(crate) const CLIENT_HEADER: &str = "x-boxoffice-client";

/// The call in hand.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    pub trace: Option<TraceId>,
    /// Who began it, for the record of what admins did; none for work that nobody waits for.
    pub client: Option<IpAddr>,
}

impl CallContext {
    /// Reads `grpc-timeout`, `traceparent` and the client's address.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let timeout = headers
            .get("grpc-timeout")
            .and_then(|v| v.to_str().ok())
            .and_then(parse_grpc_timeout);
        Self {
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            trace: TraceId::from_headers(headers),
            client: headers
                .get(CLIENT_HEADER)
                .and_then(|address| address.to_str().ok()?.parse().ok()),
        }
    }

    /// How long a call made now may take: what is left less the hop's margin, `otherwise` at most.
    pub fn budget(&self, otherwise: Duration) -> Duration {
        match self.deadline {
            None => otherwise,
            Some(deadline) => deadline
                .saturating_duration_since(Instant::now())
                .saturating_sub(HOP_MARGIN)
                .min(otherwise),
        }
    }
}

tokio::task_local! {
    static CONTEXT: CallContext;
}

/// The context of the call in hand; empty outside one.
pub fn current() -> CallContext {
    CONTEXT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a future as part of a call.
pub async fn with_context<F: Future>(context: CallContext, work: F) -> F::Output {
    CONTEXT.scope(context, work).await
}

/// At most eight digits and a unit, as the gRPC specification has it.
fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_shrinks_by_the_hop() {
        let context = CallContext {
            deadline: Some(Instant::now() + Duration::from_secs(2)),
            ..CallContext::default()
        };
        let budget = context.budget(Duration::from_secs(8));
        assert!(budget <= Duration::from_millis(1950) && budget > Duration::from_millis(1800));
        assert_eq!(
            context.budget(Duration::from_millis(100)),
            Duration::from_millis(100)
        );
    }

    #[test]
    fn timeouts_parse_as_the_specification_says() {
        assert_eq!(parse_grpc_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_grpc_timeout("2S"), Some(Duration::from_secs(2)));
        for bad in ["", "S", "-1S", "123456789S", "1x", "1"] {
            assert_eq!(parse_grpc_timeout(bad), None, "{bad}");
        }
    }
}
