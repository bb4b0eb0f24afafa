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
        let role = match self.role {
            Role::Admin => proto::user::Role::Admin,
            Role::Superadmin => proto::user::Role::Superadmin,
        };
        proto::user::User {
            id: self.id.to_string(),
            email: self.email.clone(),
            role: role.into(),
        }
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
