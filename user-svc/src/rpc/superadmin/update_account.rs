use auth::Role;
use base::{UserId, bounded};
use kit::{Admin, Failure, FieldProblem};
use proto::user::{AccountStatus, UpdateAccountRequest, UpdateAccountResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    accounts,
    app::App,
    domain::role_from_wire,
    error::Error,
    sessions::{End, Ending},
    store::{self, AccountRow, AuditEntry, select_accounts},
};

const NOTE_MAX_CHARS: usize = 500;

/// Another role or another status. Tokens that say otherwise are refused within seconds; a disabled account
/// loses its sessions. Of two superadmins who take each other's rights, one is too late.
pub(crate) async fn update_account(
    app: &App,
    admin: Admin,
    request: UpdateAccountRequest,
) -> Result<UpdateAccountResponse, Error> {
    if let Err(error) = bounded("note", &request.note, 0, NOTE_MAX_CHARS) {
        let problem = FieldProblem::new("note", error.problem);
        return Err(Error::Invalid(vec![problem]));
    }
    let absent = || Error::from(Failure::not_found("account"));
    let id: UserId = request.user_id.parse().map_err(|_| absent())?;
    let object = ("user", id.uuid());
    let change = Change {
        id,
        role: role_from_wire(request.role()),
        active: match request.status() {
            AccountStatus::Unspecified => None,
            status => Some(status == AccountStatus::Active),
        },
        by: admin.id,
        at: app.sources.now(),
        end: End::new(&app.sources, Ending::Disabled),
        note: request.note,
        audit: AuditEntry::new(&app.sources, Some(admin.id), "user.changed", object),
    };
    let changed = app
        .db
        .run(change, |conn, change| Box::pin(apply(conn, change)))
        .await?;
    app.board.nudge();
    Ok(UpdateAccountResponse {
        account: Some(changed.to_wire()),
    })
}

struct Change {
    id: UserId,
    role: Option<Role>,
    active: Option<bool>,
    by: UserId,
    at: OffsetDateTime,
    end: End,
    note: String,
    audit: AuditEntry,
}

struct Rights {
    role: String,
    status: String,
}

async fn apply(conn: &mut PgConnection, change: &Change) -> Result<AccountRow, Error> {
    let superadmins = lock_superadmins(conn).await?;
    let before = sqlx::query_as!(
        Rights,
        "SELECT role, status FROM users WHERE id = $1 FOR UPDATE",
        change.id.uuid(),
    );
    let before = before.fetch_optional(&mut *conn).await?;
    let before = before.ok_or_else(|| Failure::not_found("account"))?;
    let after = Rights {
        role: change
            .role
            .map_or(before.role.clone(), |role| role.word().to_owned()),
        status: match change.active {
            None => before.status.clone(),
            Some(true) => "active".to_owned(),
            Some(false) => "disabled".to_owned(),
        },
    };
    let stays = after.role == "superadmin" && after.status == "active";
    if !stays && superadmins == [change.id.uuid()] {
        return Err(Error::LastSuperadmin);
    }
    if before.role != after.role || before.status != after.status {
        write(conn, change, (&before, &after)).await?;
    }
    let account = select_accounts(conn, Some(change.id.uuid()), Uuid::nil(), 1).await?;
    let account = account.into_iter().next();
    Ok(account.ok_or_else(|| Failure::not_found("account"))?)
}

/// In the order of their ids, so that two changes wait for each other and not in a circle.
async fn lock_superadmins(conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    let locked = sqlx::query_scalar!(
        "SELECT id FROM users WHERE role = 'superadmin' AND status = 'active'
         ORDER BY id FOR UPDATE",
    );
    Ok(locked.fetch_all(conn).await?)
}

async fn write(
    conn: &mut PgConnection,
    change: &Change,
    (before, after): (&Rights, &Rights),
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE users SET role = $2, status = $3, token_generation = token_generation + 1,
             token_generation_at = $4
         WHERE id = $1",
        change.id.uuid(),
        after.role,
        after.status,
        change.at,
    )
    .execute(&mut *conn)
    .await?;
    if after.status == "disabled" {
        accounts::end_sessions(conn, &change.end, (change.id, None), change.by).await?;
        accounts::end_resets(conn, change.id, change.at).await?;
    }
    let told = |rights: &Rights| json!({"role": rights.role, "status": rights.status});
    let mut now = told(after);
    if !change.note.is_empty() {
        now["note"] = json!(change.note);
    }
    let audit = change.audit.clone().before(told(before)).after(now);
    store::audit(conn, &audit).await?;
    Ok(())
}
