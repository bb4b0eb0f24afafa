//! Who may call what, read from the contracts at build time.

use crate::common;

/// Who a call is made for. See `boxoffice.common.v1.Audience`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Guest,
    Admin,
    Superadmin,
    Internal,
}

/// A member of the mesh. See `boxoffice.common.v1.Peer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    Gateway,
    User,
    Ticket,
    Payment,
    Notify,
    Operator,
}

impl Peer {
    pub const ALL: [Self; 6] = [
        Self::Gateway,
        Self::User,
        Self::Ticket,
        Self::Payment,
        Self::Notify,
        Self::Operator,
    ];

    /// The word that names the member in metadata and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::User => "user-svc",
            Self::Ticket => "ticket-svc",
            Self::Payment => "payment-svc",
            Self::Notify => "notify-svc",
            Self::Operator => "operator",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }
}

/// What an admin may do with one event. See `boxoffice.common.v1.Grant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    Owner,
    Editor,
    Viewer,
    Door,
}

impl Grant {
    pub const ALL: [Self; 4] = [Self::Owner, Self::Editor, Self::Viewer, Self::Door];

    /// As databases and REST have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
            Self::Door => "door",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.word() == word)
    }
}

impl From<Grant> for common::Grant {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Owner => Self::Owner,
            Grant::Editor => Self::Editor,
            Grant::Viewer => Self::Viewer,
            Grant::Door => Self::Door,
        }
    }
}

/// The access rule of one method.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `/package.Service/Method`.
    pub path: &'static str,
    pub audience: Audience,
    pub callers: &'static [Peer],
    pub mutates: bool,
    /// One of them is needed on the event that the method is about; empty if it is about none.
    pub grants: &'static [Grant],
    /// No API key may call it.
    pub sessions_only: bool,
}

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// The rule of the method at this path; none for a path outside the contracts.
pub fn policy(path: &str) -> Option<&'static Policy> {
    POLICIES
        .binary_search_by(|policy| policy.path.cmp(path))
        .ok()
        .map(|index| &POLICIES[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_methods_are_closed_to_the_edge_unless_they_say_so() {
        let receive = policy("/boxoffice.payment.v1.ProviderEventService/ReceiveEvent").unwrap();
        assert_eq!(receive.callers, [Peer::Gateway]);
        let commit = policy("/boxoffice.ticket.v1.InventoryService/CommitOrder").unwrap();
        assert_eq!(
            (commit.audience, commit.callers),
            (Audience::Internal, &[Peer::Payment][..])
        );
    }

    /// What user-svc answers is about no event, and CreateEvent makes one.
    #[test]
    fn methods_for_admins_of_events_say_which_grant_they_need() {
        let about_none = ["CreateEvent"];
        for row in POLICIES {
            let is_of_users = row.path.starts_with("/boxoffice.user.");
            let method = row.path.rsplit('/').next().unwrap();
            let asks =
                row.audience == Audience::Admin && !is_of_users && !about_none.contains(&method);
            assert_eq!(asks, !row.grants.is_empty(), "{}", row.path);
        }
    }

    #[test]
    fn every_row_is_found_by_its_path() {
        assert!(POLICIES.len() > 20);
        for row in POLICIES {
            assert_eq!(policy(row.path).unwrap().path, row.path);
        }
        assert!(policy("/boxoffice.ticket.v1.InventoryService/Nothing").is_none());
    }
}
