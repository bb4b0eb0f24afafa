use auth::Role;
use base::{EmailAddress, UserId};

/// An account as others see it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) role: Role,
}

impl Account {
    pub(crate) fn to_wire(&self) -> proto::user::User {
        proto::user::User {
            id: self.id.to_string(),
            email: self.email.clone(),
            role: role_to_wire(self.role).into(),
        }
    }
}

pub(crate) fn role_to_wire(role: Role) -> proto::user::Role {
    match role {
        Role::Admin => proto::user::Role::Admin,
        Role::Superadmin => proto::user::Role::Superadmin,
    }
}

/// None where it is left open.
pub(crate) fn role_from_wire(role: proto::user::Role) -> Option<Role> {
    match role {
        proto::user::Role::Unspecified => None,
        proto::user::Role::Admin => Some(Role::Admin),
        proto::user::Role::Superadmin => Some(Role::Superadmin),
    }
}

/// One account per mailbox: providers that tell `Ada@` from `ada@` are rarer than people who forget
/// which they typed.
pub(crate) fn email_key(email: &EmailAddress) -> String {
    email.as_str().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_makes_no_second_account() {
        let key = |text: &str| email_key(&text.parse().unwrap());
        assert_eq!(key("Ada.Ö@Example.org"), key("ada.ö@example.ORG"));
        assert_ne!(key("ada@example.org"), key("ada@example.com"));
    }
}
