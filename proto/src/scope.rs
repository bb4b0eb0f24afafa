//! What an API key may be used for: parts of the contracts, to read or to change.

use crate::Policy;

/// A part of the contracts that a key can be good for. Accounts are none: no key makes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The programme: `boxoffice.ticket`.
    Events,
    /// Orders and money: `boxoffice.payment`.
    Orders,
    /// Mails: `boxoffice.notify`.
    Messages,
    /// Who did what: `boxoffice.audit`.
    Record,
}

impl Area {
    pub const ALL: [Self; 4] = [Self::Events, Self::Orders, Self::Messages, Self::Record];

    pub fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Orders => "orders",
            Self::Messages => "messages",
            Self::Record => "record",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Events => "/boxoffice.ticket.",
            Self::Orders => "/boxoffice.payment.",
            Self::Messages => "/boxoffice.notify.",
            Self::Record => "/boxoffice.audit.",
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Events => 1,
            Self::Orders => 1 << 2,
            Self::Messages => 1 << 4,
            Self::Record => 1 << 6,
        }
    }
}

/// What a token may be used for, beside what its account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(Option<u8>);

impl Scopes {
    /// That of a session: whatever its account may do.
    pub const ALL: Self = Self(None);
    /// That of a key that is good for nothing.
    pub const NONE: Self = Self(Some(0));

    /// `events:read` or `orders:write`, which includes reading. None for any other word.
    pub fn with(self, word: &str) -> Option<Self> {
        let (area, right) = word.split_once(':')?;
        let area = Area::ALL.into_iter().find(|one| one.word() == area)?;
        let bits = match right {
            "read" => area.bits(),
            "write" => area.bits() | area.bits() << 1,
            _ => return None,
        };
        Some(Self(Some(self.0.unwrap_or(0) | bits)))
    }

    /// Those of a token, separated by spaces. A word that this version does not know adds nothing.
    pub fn of_words(words: &str) -> Self {
        let words = words.split(' ');
        words.fold(Self::NONE, |scopes, word| {
            scopes.with(word).unwrap_or(scopes)
        })
    }

    /// Whether a method is among them.
    pub fn allow(self, policy: &Policy) -> bool {
        let Some(bits) = self.0 else {
            return true;
        };
        if policy.sessions_only {
            return false;
        }
        let area = Area::ALL
            .into_iter()
            .find(|area| policy.path.starts_with(area.package()));
        area.is_some_and(|area| {
            let needed = area.bits() << u8::from(policy.mutates);
            bits & needed != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{POLICIES, policy};

    const LIST_ORDERS: &str = "/boxoffice.payment.v1.OrderAdminService/ListOrders";
    const REFUND: &str = "/boxoffice.payment.v1.RefundAdminService/RefundOrder";
    const GET_ME: &str = "/boxoffice.user.v1.SessionService/GetMe";

    #[test]
    fn a_scope_opens_its_area_and_no_other() {
        let may = |words: &str, path: &str| Scopes::of_words(words).allow(policy(path).unwrap());
        assert!(may("orders:read", LIST_ORDERS) && !may("orders:read", REFUND));
        assert!(may("events:read orders:write", LIST_ORDERS));
        assert!(may("orders:write", REFUND));
        for none in [
            "",
            "orders",
            "orders:all",
            "accounts:write",
            "events:write",
            "ORDERS:READ",
        ] {
            assert!(!may(none, LIST_ORDERS), "{none}");
        }
        assert!(Scopes::ALL.allow(policy(GET_ME).unwrap()));
    }

    const EVERY: &str = "events:write orders:write messages:write record:write";

    #[test]
    fn no_key_says_who_may_do_what_or_takes_a_safeguard_back() {
        let closed = POLICIES.iter().filter(|row| row.sessions_only);
        let closed: Vec<&str> = closed.map(|row| row.path).collect();
        assert_eq!(
            closed,
            [
                "/boxoffice.ticket.v1.GrantAdminService/RemoveEventGrant",
                "/boxoffice.ticket.v1.GrantAdminService/SetEventGrant",
                "/boxoffice.ticket.v1.PoolAuditService/ResumePool",
                "/boxoffice.ticket.v1.TicketCodeService/RotateTicketKeys",
            ]
        );
        for path in closed {
            let policy = policy(path).unwrap();
            assert!(!Scopes::of_words(EVERY).allow(policy), "{path}");
            assert!(Scopes::ALL.allow(policy), "{path}");
        }
    }

    #[test]
    fn no_key_reaches_accounts() {
        for row in POLICIES
            .iter()
            .filter(|row| row.path.starts_with("/boxoffice.user."))
        {
            assert!(!Scopes::of_words(EVERY).allow(row), "{}", row.path);
        }
    }
}
