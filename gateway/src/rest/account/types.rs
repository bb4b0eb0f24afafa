//! Shapes that several operations on accounts share.

use kit::Failure;
use proto::user;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use crate::rest::types::{Role, User, broken, optional_time, time_of};

/// The rank that somebody is given.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum GivenRole {
    /// Sees the events they created or were granted.
    Admin,
    /// Sees and may do everything.
    Superadmin,
}

impl TryFrom<String> for GivenRole {
    type Error = &'static str;

    /// Only a text: serde would read a variant from an object as well.
    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "admin" => Ok(Self::Admin),
            "superadmin" => Ok(Self::Superadmin),
            _ => Err("must be `admin` or `superadmin`"),
        }
    }
}

impl GivenRole {
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Admin => user::Role::Admin,
            Self::Superadmin => user::Role::Superadmin,
        }
        .into()
    }
}

/// Whether an account can sign in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum AccountStatus {
    Active,
    Disabled,
}

impl TryFrom<String> for AccountStatus {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            _ => Err("must be `active` or `disabled`"),
        }
    }
}

impl AccountStatus {
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Active => user::AccountStatus::Active,
            Self::Disabled => user::AccountStatus::Disabled,
        }
        .into()
    }
}

/// An account, as superadmins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    #[serde(flatten)]
    user: User,
    status: AccountStatus,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    /// When a session of it was used last.
    #[serde(with = "rfc3339::option")]
    last_seen_at: Option<OffsetDateTime>,
    /// Whether signing in takes a code, too.
    second_factor: bool,
}

impl TryFrom<user::Account> for Account {
    type Error = Failure;

    fn try_from(account: user::Account) -> Result<Self, Failure> {
        let status = match account.status() {
            user::AccountStatus::Active => AccountStatus::Active,
            user::AccountStatus::Disabled => AccountStatus::Disabled,
            user::AccountStatus::Unspecified => return Err(broken("status")),
        };
        Ok(Self {
            created_at: time_of(account.created_at.as_ref(), "created_at")?,
            last_seen_at: optional_time(account.last_seen_at.as_ref())?,
            user: account.user.ok_or_else(|| broken("user"))?.try_into()?,
            status,
            second_factor: account.second_factor,
        })
    }
}

/// Somebody who may make an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    id: String,
    email: String,
    role: Role,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    /// When the link was sent last.
    #[serde(with = "rfc3339")]
    sent_at: OffsetDateTime,
    #[serde(with = "rfc3339")]
    expires_at: OffsetDateTime,
}

impl TryFrom<user::Invitation> for Invitation {
    type Error = Failure;

    fn try_from(invitation: user::Invitation) -> Result<Self, Failure> {
        Ok(Self {
            role: Role::of(invitation.role)?,
            created_at: time_of(invitation.created_at.as_ref(), "created_at")?,
            sent_at: time_of(invitation.sent_at.as_ref(), "sent_at")?,
            expires_at: time_of(invitation.expires_at.as_ref(), "expires_at")?,
            id: invitation.id,
            email: invitation.email,
        })
    }
}

impl Invitation {
    pub fn required(invitation: Option<user::Invitation>) -> Result<Self, Failure> {
        invitation.ok_or_else(|| broken("invitation"))?.try_into()
    }
}

/// A key with which a program acts for an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    id: String,
    name: String,
    #[schema(example = json!(["orders:read"]))]
    scopes: Vec<String>,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "rfc3339")]
    expires_at: OffsetDateTime,
    /// Null where it was not used yet.
    #[serde(with = "rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// From where.
    #[schema(example = "192.0.2.1")]
    last_network: String,
}

impl TryFrom<user::ApiKey> for ApiKey {
    type Error = Failure;

    fn try_from(key: user::ApiKey) -> Result<Self, Failure> {
        Ok(Self {
            created_at: time_of(key.created_at.as_ref(), "created_at")?,
            expires_at: time_of(key.expires_at.as_ref(), "expires_at")?,
            last_used_at: optional_time(key.last_used_at.as_ref())?,
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            last_network: key.last_network,
        })
    }
}
