use time::{Duration, OffsetDateTime};

pub(crate) const ACCESS_TOKEN_TTL: Duration = Duration::minutes(10);
/// However busy it is.
pub(crate) const SESSION_TTL: Duration = Duration::hours(12);
/// A session that is refreshed by nobody ends.
pub(crate) const SESSION_IDLE: Duration = Duration::minutes(30);
/// In case the answer of a refresh got lost: its token works once more.
pub(crate) const REFRESH_GRACE: Duration = Duration::seconds(30);
/// Verifiers hear of a revocation for longer than any token lives, whatever their clocks say.
pub(crate) const REVOCATION_TOLD_FOR: Duration = Duration::minutes(12);

const USER_AGENT_CHARS: usize = 200;
const NETWORK_CHARS: usize = 64;

/// Until when a session works where nobody refreshes it.
pub(crate) fn session_end(
    last_used_at: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> OffsetDateTime {
    (last_used_at + SESSION_IDLE).min(expires_at)
}

/// What a client calls itself, as it is shown later: no control characters, and not too much of it.
pub(crate) fn shown_client(user_agent: &str) -> Option<String> {
    cleaned(user_agent, USER_AGENT_CHARS)
}

pub(crate) fn shown_network(network: &str) -> Option<String> {
    cleaned(network, NETWORK_CHARS)
}

fn cleaned(text: &str, most: usize) -> Option<String> {
    let printable = text.chars().filter(|letter| !letter.is_control());
    let shown: String = printable.take(most).collect();
    Some(shown).filter(|shown| !shown.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_idleness_or_age() {
        let begun = OffsetDateTime::UNIX_EPOCH;
        let expires_at = begun + SESSION_TTL;
        assert_eq!(session_end(begun, expires_at), begun + SESSION_IDLE);
        let late = expires_at - Duration::minutes(1);
        assert_eq!(session_end(late, expires_at), expires_at);
    }

    #[test]
    fn a_client_is_shown_in_one_short_line() {
        assert_eq!(shown_client(""), None);
        assert_eq!(shown_client("a\r\nb\0").as_deref(), Some("ab"));
        let long = shown_client(&"ä".repeat(500));
        assert_eq!(long.map(|shown| shown.chars().count()), Some(200));
    }
}
