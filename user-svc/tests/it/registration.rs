//! Ways in: invitations, wishes for an account, and links to choose another password.

use std::time::Duration;

use base::Sources;
use kit::{ErrorReason, Failure};
use proto::user::{
    AccountStatus, DecideAccountRequestRequest, InviteAdminRequest, ListInvitationsRequest,
    ListInvitationsResponse, RegisterRequest, RequestAccountRequest, RequestPasswordResetRequest,
    ResetPasswordRequest, RevokeInvitationRequest, Role, UpdateAccountRequest,
};
use testkit::TestDb;

use crate::harness::{
    EMAIL, PASSWORD, Service, as_admin, check_invariants, config, database, founded, on_record,
    told,
};

const GRACE: &str = "grace@example.org";
const NEW_PASSWORD: &str = "another horse battery";

fn invite(email: &str) -> InviteAdminRequest {
    InviteAdminRequest {
        email: email.to_owned(),
        role: Role::Admin.into(),
        locale: "de".to_owned(),
    }
}

fn ask(email: &str, network: &str) -> RequestAccountRequest {
    RequestAccountRequest {
        email: email.to_owned(),
        note: "I run the club".to_owned(),
        locale: "de".to_owned(),
        network: network.to_owned(),
    }
}

async fn register(service: &Service, invitation: &str, email: &str) -> Result<Role, Failure> {
    let request = RegisterRequest {
        invitation: invitation.to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        network: String::new(),
    };
    let made = told(service.registration().register(request).await)?;
    Ok(made.user.unwrap().role())
}

async fn open_ones(service: &Service) -> ListInvitationsResponse {
    let founder = service.token(EMAIL, PASSWORD).await;
    let request = as_admin(&founder, ListInvitationsRequest {});
    told(service.accounts().list_invitations(request).await).unwrap()
}

async fn ask_for_reset(service: &Service, email: &str, network: &str) -> Result<(), Failure> {
    let request = RequestPasswordResetRequest {
        email: email.to_owned(),
        locale: "fr".to_owned(),
        network: network.to_owned(),
    };
    told(service.registration().request_password_reset(request).await).map(drop)
}

async fn reset(service: &Service, token: &str, password: &str) -> Result<(), Failure> {
    let request = ResetPasswordRequest {
        token: token.to_owned(),
        password: password.to_owned(),
        network: String::new(),
    };
    told(service.registration().reset_password(request).await).map(drop)
}

async fn count(db: &TestDb, query: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_invitation_works_once_and_for_its_address() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let answer = service
        .accounts()
        .invite_admin(as_admin(&founder, invite(GRACE)))
        .await;
    let invited = told(answer).unwrap().invitation.unwrap();
    assert_eq!(
        (invited.email.as_str(), invited.role()),
        (GRACE, Role::Admin)
    );
    let token = service.mailed(&db, GRACE).await.pop().unwrap();
    for (wrong, email) in [
        (token.as_str(), "eve@example.org"),
        ("", GRACE),
        (&"x".repeat(43), GRACE),
    ] {
        let refused = register(&service, wrong, email).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    }
    assert_eq!(
        register(&service, &token, "Grace@Example.org")
            .await
            .unwrap(),
        Role::Admin
    );
    let again = register(&service, &token, GRACE).await.unwrap_err();
    assert_eq!(again.reason, ErrorReason::CodeInvalid);
    service.login(GRACE, PASSWORD).await.unwrap();
    assert!(open_ones(&service).await.invitations.is_empty());
    let known = service
        .accounts()
        .invite_admin(as_admin(&founder, invite(GRACE)))
        .await;
    assert_eq!(told(known).unwrap_err().reason, ErrorReason::AccountExists);
    assert_eq!(
        count(
            &db,
            "SELECT count(*) FROM audit_log WHERE action IN ('admin.invited', 'user.registered')"
        )
        .await,
        2
    );
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn of_racing_registrations_one_wins() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    told(
        service
            .accounts()
            .invite_admin(as_admin(&founder, invite(GRACE)))
            .await,
    )
    .unwrap();
    let token = service.mailed(&db, GRACE).await.pop().unwrap();
    // As many as may wait for a hash.
    let tries = (0..3).map(|_| register(&service, &token, GRACE));
    let won = futures::future::join_all(tries).await;
    assert_eq!(won.iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!(count(&db, "SELECT count(*) FROM users").await, 2);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_invitation_dies_by_time_by_another_and_by_hand() {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(9);
    let service = Service::start_with(config(&db.url), sources).await;
    service.setup(service.setup_request()).await.unwrap();
    let founder = service.token(EMAIL, PASSWORD).await;
    let send = async || {
        let answer = service
            .accounts()
            .invite_admin(as_admin(&founder, invite(GRACE)))
            .await;
        let invitation = told(answer).unwrap().invitation.unwrap();
        (invitation, service.mailed(&db, GRACE).await.pop().unwrap())
    };
    let (first, replaced) = send().await;
    let (second, good) = send().await;
    assert_eq!(first.id, second.id);
    let refused = register(&service, &replaced, GRACE).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CodeInvalid);

    let revoke = RevokeInvitationRequest {
        invitation_id: second.id,
    };
    for _ in 0..2 {
        let request = as_admin(&founder, revoke.clone());
        told(service.accounts().revoke_invitation(request).await).unwrap();
    }
    let refused = register(&service, &good, GRACE).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    let (_, old) = send().await;
    // Whoever has lost the right to invite has taken the invitation along.
    let mut conn = db.connect().await;
    let demote = sqlx::query("UPDATE users SET role = 'admin'");
    demote.execute(&mut conn).await.unwrap();
    let refused = register(&service, &old, GRACE).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    let back = sqlx::query("UPDATE users SET role = 'superadmin'");
    back.execute(&mut conn).await.unwrap();
    clock.advance(time::Duration::days(7));
    let refused = register(&service, &old, GRACE).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn no_link_is_stored_in_the_clear() {
    let (db, service) = founded().await;
    service.admin(&db, GRACE, Role::Admin).await;
    ask_for_reset(&service, GRACE, "a").await.unwrap();
    let tokens = service.mailed(&db, GRACE).await;
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        assert_eq!(db.tables_with(&token).await, [""; 0]);
    }
    // The search finds what is there: in a text, and in the bytes of a message.
    let with = db.tables_with(GRACE).await;
    assert!(with.contains(&"users".to_owned()), "{with:?}");
    assert!(with.contains(&"outbox".to_owned()), "{with:?}");
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn who_asks_is_invited_when_approved() {
    let (db, service) = founded().await;
    for (email, network) in [
        (GRACE, "a"),
        (GRACE, "b"),
        (EMAIL, "a"),
        ("eve@example.org", "a"),
    ] {
        told(
            service
                .registration()
                .request_account(ask(email, network))
                .await,
        )
        .unwrap();
    }
    let waiting = open_ones(&service).await.requests;
    let mut who: Vec<&str> = waiting.iter().map(|one| one.email.as_str()).collect();
    who.sort_unstable();
    assert_eq!(who, ["eve@example.org", GRACE]);
    let line = |by: &str, of: &str| (by.to_owned(), format!("account_request {of}"));
    // The list has the latest first.
    let asked: Vec<_> = waiting.iter().rev().map(|one| line("", &one.id)).collect();
    assert_eq!(on_record(&db, "account.requested").await, asked);
    assert!(service.mailed(&db, GRACE).await.is_empty());

    let founder = service.token(EMAIL, PASSWORD).await;
    let of = |email: &str| {
        waiting
            .iter()
            .find(|one| one.email == email)
            .unwrap()
            .id
            .clone()
    };
    let decide = async |id: String, approve: bool| {
        let request = DecideAccountRequestRequest {
            request_id: id,
            approve,
            role: Role::Admin.into(),
        };
        told(
            service
                .accounts()
                .decide_account_request(as_admin(&founder, request))
                .await,
        )
    };
    assert!(decide(of(GRACE), true).await.unwrap().invitation.is_some());
    assert!(
        decide(of("eve@example.org"), false)
            .await
            .unwrap()
            .invitation
            .is_none()
    );
    let twice = decide(of(GRACE), false).await.unwrap_err();
    assert_eq!(twice.reason, ErrorReason::NotFound);
    let by = service.get_me(&founder).await.unwrap().id;
    assert_eq!(
        on_record(&db, "account.decided").await,
        [line(&by, &of(GRACE)), line(&by, &of("eve@example.org"))]
    );
    let token = service.mailed(&db, GRACE).await.pop().unwrap();
    register(&service, &token, GRACE).await.unwrap();
    assert!(service.mailed(&db, "eve@example.org").await.is_empty());
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_account_at_once_settles_what_its_address_has_open() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let eve = "eve@example.org";
    for email in [GRACE, eve] {
        let wish = ask(email, "a");
        told(service.registration().request_account(wish).await).unwrap();
        let invitation = as_admin(&founder, invite(email));
        told(service.accounts().invite_admin(invitation).await).unwrap();
    }
    let open = open_ones(&service).await;
    assert_eq!((open.invitations.len(), open.requests.len()), (2, 2));
    let link = service.mailed(&db, GRACE).await.pop().unwrap();
    // One that is not made settles nothing.
    let taken = service.create(&founder, (EMAIL, Role::Admin), PASSWORD);
    assert_eq!(taken.await.unwrap_err().reason, ErrorReason::AccountExists);
    assert_eq!(open_ones(&service).await, open);

    let made = service.create(&founder, ("Grace@Example.org", Role::Admin), PASSWORD);
    made.await.unwrap();
    let left = open_ones(&service).await;
    let of_eve = (left.invitations[0].email.as_str(), &*left.requests[0].email);
    assert_eq!(of_eve, (eve, eve));
    assert_eq!((left.invitations.len(), left.requests.len()), (1, 1));
    let by = service.get_me(&founder).await.unwrap().id;
    let line = |kind: &str, id: &str| (by.clone(), format!("{kind} {id}"));
    let invited = open.invitations.iter().find(|one| one.email == GRACE);
    assert_eq!(
        on_record(&db, "admin.invitation_revoked").await,
        [line("invitation", &invited.unwrap().id)]
    );
    let asked = open.requests.iter().find(|one| one.email == GRACE);
    assert_eq!(
        on_record(&db, "account.decided").await,
        [line("account_request", &asked.unwrap().id)]
    );
    let late = register(&service, &link, GRACE).await.unwrap_err();
    assert_eq!(late.reason, ErrorReason::CodeInvalid);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn one_network_does_not_ask_all_day() {
    let (db, service) = founded().await;
    let request = async |number: usize| {
        let email = format!("x{number}@example.org");
        told(
            service
                .registration()
                .request_account(ask(&email, "a"))
                .await,
        )
    };
    for number in 0..5 {
        request(number).await.unwrap();
    }
    let refused = request(5).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::TooManyRequests);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_reset_changes_the_password_and_ends_every_session() {
    let (db, service) = founded().await;
    let before = service.login(EMAIL, PASSWORD).await.unwrap();
    ask_for_reset(&service, "ADA@example.org", "a")
        .await
        .unwrap();
    ask_for_reset(&service, EMAIL, "b").await.unwrap();
    let links = service.mailed(&db, EMAIL).await;
    assert_eq!(links.len(), 2);
    let asked: Vec<(String, String)> =
        sqlx::query_as("SELECT '', 'password_reset ' || id FROM password_resets ORDER BY id")
            .fetch_all(&mut db.connect().await)
            .await
            .unwrap();
    assert_eq!(on_record(&db, "password.reset_requested").await, asked);
    for easy in ["short", "passwordpassword1", "Ada@Example.org"] {
        let refused = reset(&service, &links[0], easy).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidRequest);
        assert_eq!(refused.fields[0].field, "password");
    }
    // Whoever knew the old password may have made one.
    let key =
        "INSERT INTO api_keys (id, user_id, name, secret_hash, scopes, created_at, expires_at)
               SELECT gen_random_uuid(), id, 'a script', sha256('x'), '{orders:read}', now(),
                   now() + interval '1 day' FROM users";
    let mut conn = db.connect().await;
    sqlx::query(key).execute(&mut conn).await.unwrap();
    let alive = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL";
    assert_eq!(count(&db, alive).await, 1);
    reset(&service, &links[0], NEW_PASSWORD).await.unwrap();
    assert_eq!(count(&db, alive).await, 0);
    for used in &links {
        let refused = reset(&service, used, PASSWORD).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    }
    service.is_signed_out(&before.refresh_token).await;
    service.refuses_soon(&before.access_token).await;
    let refused = service.login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    service.login(EMAIL, NEW_PASSWORD).await.unwrap();
    let id = before.user.unwrap().id;
    assert_eq!(
        on_record(&db, "user.password_reset").await,
        [(id.clone(), format!("user {id}"))]
    );
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_reset_link_dies_after_half_an_hour() {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(9);
    let service = Service::start_with(config(&db.url), sources).await;
    service.setup(service.setup_request()).await.unwrap();
    ask_for_reset(&service, EMAIL, "a").await.unwrap();
    let link = service.mailed(&db, EMAIL).await.pop().unwrap();
    clock.advance(time::Duration::minutes(30));
    let refused = reset(&service, &link, NEW_PASSWORD).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn nobody_learns_who_has_an_account_or_floods_a_mailbox() {
    let (db, service) = founded().await;
    service.admin(&db, GRACE, Role::Admin).await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let accounts = as_admin(&founder, proto::user::ListAccountsRequest::default());
    let accounts = told(service.accounts().list_accounts(accounts).await)
        .unwrap()
        .accounts;
    let grace = accounts
        .iter()
        .filter_map(|one| one.user.clone())
        .find(|one| one.email == GRACE);
    let disable = UpdateAccountRequest {
        user_id: grace.unwrap().id,
        status: AccountStatus::Disabled.into(),
        ..UpdateAccountRequest::default()
    };
    told(
        service
            .accounts()
            .update_account(as_admin(&founder, disable))
            .await,
    )
    .unwrap();
    for email in ["nobody@example.org", GRACE] {
        let begun = std::time::Instant::now();
        ask_for_reset(&service, email, "a").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200));
        for _ in 0..2 {
            ask_for_reset(&service, email, "a").await.unwrap();
        }
        let refused = ask_for_reset(&service, email, "a").await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        assert!(refused.retry_after.unwrap() > Duration::from_secs(3000));
        ask_for_reset(&service, email, "elsewhere").await.unwrap();
    }
    assert_eq!(count(&db, "SELECT count(*) FROM password_resets").await, 0);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn strangers_leave_the_owner_a_link() {
    let (db, service) = founded().await;
    for stranger in ["a", "a", "a", "b", "b", "b"] {
        ask_for_reset(&service, EMAIL, stranger).await.unwrap();
    }
    let refused = ask_for_reset(&service, EMAIL, "home").await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::TooManyRequests);
    // Not for longer than the links work that are in the mailbox.
    assert!(refused.retry_after.unwrap() <= Duration::from_secs(30 * 60));
    let links = service.mailed(&db, EMAIL).await;
    assert_eq!(links.len(), 6);
    reset(&service, &links[0], NEW_PASSWORD).await.unwrap();
    service.login(EMAIL, NEW_PASSWORD).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_wish_takes_its_time_whoever_has_an_account() {
    let (db, service) = founded().await;
    for email in [EMAIL, GRACE, GRACE] {
        let begun = std::time::Instant::now();
        told(
            service
                .registration()
                .request_account(ask(email, "a"))
                .await,
        )
        .unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200), "{email}");
    }
    service.stop().await;
    check_invariants(&db).await;
}
