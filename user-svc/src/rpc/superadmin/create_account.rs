use auth::Role;
use base::{EmailAddress, UserId};
use kit::{Admin, Failure, FieldProblem};
use proto::user::{CreateAccountRequest, CreateAccountResponse};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    accounts::{self, NewAccount},
    app::App,
    domain::{Account, Password, check_new_password, email_key, role_from_wire},
    error::Error,
    invitations::Settling,
    store::{self, AccountRow, AuditEntry, select_accounts},
};

/// An account at once, without a mail. Nothing proves its address, and whoever makes it knows its password:
/// where there is time, an invitation is better. What the address was invited to or has asked for is settled with it.
/// A repeat makes no second one, the address is taken.
pub(crate) async fn create_account(
    app: &App,
    admin: Admin,
    request: CreateAccountRequest,
) -> Result<CreateAccountResponse, Error> {
    let password = Password::typed(&request.password);
    let (email, role) = check_fields(&request, &password)?;
    let id = UserId::new(&app.sources);
    let password = app
        .passwords
        .hash(id, &password, app.sources.bytes())
        .await?;
    let object = ("user", id.uuid());
    let audit = AuditEntry::new(&app.sources, Some(admin.id), "user.created", object)
        .after(json!({"email": email.as_str(), "role": role}));
    let settling = Settling::new(app, admin.id);
    let new = NewAccount {
        account: Account {
            id,
            email: email.to_string(),
            role,
        },
        email_key: email_key(&email),
        password,
        at: app.sources.now(),
    };
    let made = app
        .db
        .run((new, settling, audit), |conn, (new, settling, audit)| {
            Box::pin(insert(conn, new, settling, audit))
        })
        .await?;
    Ok(CreateAccountResponse {
        account: Some(made.to_wire()),
    })
}

fn check_fields(
    request: &CreateAccountRequest,
    password: &Password,
) -> Result<(EmailAddress, Role), Error> {
    let mut problems = Vec::new();
    let email = request.email.parse::<EmailAddress>();
    if let Err(error) = &email {
        problems.push(FieldProblem::new("email", format!("is not valid: {error}")));
    }
    let role = role_from_wire(request.role());
    if role.is_none() {
        problems.push(FieldProblem::new("role", "must be named"));
    }
    problems.extend(check_new_password(password, email.as_ref().ok()));
    match (email, role) {
        (Ok(email), Some(role)) if problems.is_empty() => Ok((email, role)),
        _ => Err(Error::Invalid(problems)),
    }
}

async fn insert(
    conn: &mut PgConnection,
    new: &NewAccount,
    settling: &Settling,
    audit: &AuditEntry,
) -> Result<AccountRow, Error> {
    settling.settle(conn, &new.email_key).await?;
    accounts::insert(conn, new).await?;
    store::audit(conn, audit).await?;
    let made = select_accounts(conn, Some(new.account.id.uuid()), Uuid::nil(), 1).await?;
    let made = made.into_iter().next();
    Ok(made.ok_or_else(|| Failure::not_found("account"))?)
}
