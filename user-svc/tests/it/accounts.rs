//! What superadmins do about accounts, and what their owners do.

use base::{Sources, UserId};
use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    user::{
        Account, AccountStatus, ChangePasswordRequest, CheckAccountRequest, InviteAdminRequest,
        ListAccountsRequest, Role, UpdateAccountRequest,
        account_check_service_client::AccountCheckServiceClient,
    },
};
use testkit::eventually;

use crate::harness::{
    EMAIL, PASSWORD, PATIENCE, Service, as_admin, check_invariants, founded, on_record, told,
};

const GRACE: &str = "grace@example.org";
const NEW_PASSWORD: &str = "another horse battery";

async fn update(
    service: &Service,
    token: &str,
    user_id: &str,
    (role, status): (Role, AccountStatus),
) -> Result<Account, Failure> {
    let request = UpdateAccountRequest {
        user_id: user_id.to_owned(),
        role: role.into(),
        status: status.into(),
        note: "they left".to_owned(),
    };
    let answer = service
        .accounts()
        .update_account(as_admin(token, request))
        .await;
    told(answer).map(|answer| answer.account.unwrap())
}

async fn change(service: &Service, token: &str, from: &str, to: &str) -> Result<(), Failure> {
    let request = ChangePasswordRequest {
        current_password: from.to_owned(),
        new_password: to.to_owned(),
        network: String::new(),
    };
    told(
        service
            .sessions()
            .change_password(as_admin(token, request))
            .await,
    )
    .map(drop)
}

async fn list(
    service: &Service,
    token: &str,
    page_token: &str,
) -> Result<(Vec<Account>, String), Failure> {
    let request = ListAccountsRequest {
        page_size: 2,
        page_token: page_token.to_owned(),
    };
    let answer = service
        .accounts()
        .list_accounts(as_admin(token, request))
        .await;
    told(answer).map(|answer| (answer.accounts, answer.next_page_token))
}

#[tokio::test]
async fn accounts_are_for_superadmins() {
    let (db, service) = founded().await;
    let grace = service.admin(&db, GRACE, Role::Admin).await;
    let token = service.token(GRACE, PASSWORD).await;
    let invite = InviteAdminRequest {
        email: "eve@example.org".to_owned(),
        role: Role::Superadmin.into(),
        locale: String::new(),
    };
    let refusals = [
        list(&service, &token, "").await.unwrap_err(),
        service
            .create(&token, ("eve@example.org", Role::Admin), PASSWORD)
            .await
            .unwrap_err(),
        told(
            service
                .accounts()
                .invite_admin(as_admin(&token, invite))
                .await,
        )
        .unwrap_err(),
        update(
            &service,
            &token,
            &grace.id,
            (Role::Superadmin, AccountStatus::Active),
        )
        .await
        .unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    }
    let founder = service.token(EMAIL, PASSWORD).await;
    let founder_id = service.get_me(&founder).await.unwrap().id;
    let foreign = service
        .list_sessions(&token, &founder_id)
        .await
        .unwrap_err();
    let absent = service.list_sessions(&token, "nobody").await.unwrap_err();
    assert_eq!(format!("{foreign:?}"), format!("{absent:?}"));
    assert_eq!(
        service
            .list_sessions(&founder, &grace.id)
            .await
            .unwrap()
            .len(),
        1
    );
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_account_is_made_at_once() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let made = service.create(&founder, (GRACE, Role::Superadmin), PASSWORD);
    let made = made.await.unwrap();
    let user = made.user.clone().unwrap();
    assert_eq!(
        (user.email.as_str(), user.role()),
        (GRACE, Role::Superadmin)
    );
    assert_eq!(made.status(), AccountStatus::Active);
    assert!(made.last_seen_at.is_none() && !made.second_factor);
    assert!(service.mailed(&db, GRACE).await.is_empty());
    // As the list has it.
    let (accounts, _) = list(&service, &founder, "").await.unwrap();
    assert_eq!(accounts[1], made);
    // She is what she was made, and changes the password that another one knows.
    let hers = service.token(GRACE, PASSWORD).await;
    list(&service, &hers, "").await.unwrap();
    change(&service, &hers, PASSWORD, NEW_PASSWORD)
        .await
        .unwrap();
    service.login(GRACE, NEW_PASSWORD).await.unwrap();

    let founder_id = service.get_me(&founder).await.unwrap().id;
    let line = (founder_id, format!("user {}", user.id));
    assert_eq!(on_record(&db, "user.created").await, [line]);
    let (before, after): (Option<serde_json::Value>, serde_json::Value) =
        sqlx::query_as("SELECT before, after FROM audit_log WHERE action = 'user.created'")
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
    let told = serde_json::json!({"email": GRACE, "role": "superadmin"});
    assert_eq!((before, after), (None, told));
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_address_has_one_account_also_where_one_is_made_at_once() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    // As many as may wait for a hash.
    let tries = [GRACE, "Grace@Example.org", "GRACE@example.org"]
        .map(|email| service.create(&founder, (email, Role::Admin), PASSWORD));
    let made = futures::future::join_all(tries).await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
    for refused in made.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, ErrorReason::AccountExists);
    }
    let again = service.create(&founder, (GRACE, Role::Superadmin), NEW_PASSWORD);
    assert_eq!(again.await.unwrap_err().reason, ErrorReason::AccountExists);
    // Neither the role nor the password of who was there.
    let hers = service.token(GRACE, PASSWORD).await;
    assert_eq!(service.get_me(&hers).await.unwrap().role(), Role::Admin);
    assert_eq!(on_record(&db, "user.created").await.len(), 1);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_account_that_breaks_rules_is_not_made() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    for (email, role, password, fields) in [
        (GRACE, Role::Admin, "fourteen chars", &["password"][..]),
        (GRACE, Role::Admin, "passwordpassword", &["password"]),
        (GRACE, Role::Admin, "grace@example.org", &["password"]),
        (GRACE, Role::Unspecified, PASSWORD, &["role"]),
        ("grace", Role::Admin, PASSWORD, &["email"]),
        ("", Role::Unspecified, "", &["email", "role", "password"]),
    ] {
        let refused = service.create(&founder, (email, role), password).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidRequest);
        let named = refused.fields.iter().map(|problem| problem.field.as_str());
        assert_eq!(named.collect::<Vec<_>>(), fields, "{email} {password}");
    }
    let (accounts, _) = list(&service, &founder, "").await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert!(on_record(&db, "user.created").await.is_empty());
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn accounts_are_listed_in_pages() {
    let (db, service) = founded().await;
    for email in [GRACE, "eve@example.org"] {
        service.admin(&db, email, Role::Admin).await;
    }
    let founder = service.token(EMAIL, PASSWORD).await;
    let (first, next) = list(&service, &founder, "").await.unwrap();
    let (second, end) = list(&service, &founder, &next).await.unwrap();
    assert_eq!((first.len(), second.len(), end.as_str()), (2, 1, ""));
    let emails: Vec<String> = first
        .iter()
        .chain(&second)
        .map(|one| one.user.clone().unwrap().email)
        .collect();
    assert_eq!(emails, ["Ada@example.org", GRACE, "eve@example.org"]);
    assert!(first[0].last_seen_at.is_some() && first[1].last_seen_at.is_none());
    let refused = list(&service, &founder, "nonsense").await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidRequest);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn whether_there_is_an_account_is_known_to_the_edge_alone() {
    let (db, service) = founded().await;
    let grace = service.admin(&db, GRACE, Role::Admin).await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let off = (Role::Unspecified, AccountStatus::Disabled);
    update(&service, &founder, &grace.id, off).await.unwrap();
    let ask = async |peer: Peer, user_id: &str| {
        let mut check = AccountCheckServiceClient::new(service.channel(peer));
        let user_id = user_id.to_owned();
        let answer = check.check_account(CheckAccountRequest { user_id }).await;
        told(answer).map(|answer| answer.exists)
    };
    let nobody = UserId::new(&Sources::system()).to_string();
    for (id, exists) in [(grace.id.as_str(), true), (&nobody, false), ("x", false)] {
        assert_eq!(ask(Peer::Gateway, id).await.unwrap(), exists, "{id}");
    }
    let refused = ask(Peer::Payment, &grace.id).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::CallerNotAllowed);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_ends_within_seconds() {
    let (db, service) = founded().await;
    let grace = service.admin(&db, GRACE, Role::Superadmin).await;
    let hers = service.login(GRACE, PASSWORD).await.unwrap();
    list(&service, &hers.access_token, "").await.unwrap();
    let founder = service.token(EMAIL, PASSWORD).await;
    let changed = update(
        &service,
        &founder,
        &grace.id,
        (Role::Admin, AccountStatus::Unspecified),
    );
    assert_eq!(changed.await.unwrap().user.unwrap().role(), Role::Admin);
    eventually("the token is refused", PATIENCE, || async {
        let refused = list(&service, &hers.access_token, "").await.err()?;
        (refused.reason == ErrorReason::Unauthenticated).then_some(())
    })
    .await;
    // She stays signed in, as what she is now.
    let next = service.refresh(&hers.refresh_token).await.unwrap();
    assert_eq!(next.user.unwrap().role(), Role::Admin);
    service.get_me(&next.access_token).await.unwrap();
    let refused = list(&service, &next.access_token, "").await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    let (before, after): (serde_json::Value, serde_json::Value) =
        sqlx::query_as("SELECT before, after FROM audit_log WHERE action = 'user.changed'")
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
    assert_eq!(
        (&before["role"], &after["role"]),
        (&"superadmin".into(), &"admin".into())
    );
    assert_eq!(after["note"], "they left");
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_disabled_account_is_out_and_can_come_back() {
    let (db, service) = founded().await;
    let grace = service.admin(&db, GRACE, Role::Admin).await;
    let hers = service.login(GRACE, PASSWORD).await.unwrap();
    let founder = service.token(EMAIL, PASSWORD).await;
    let off = (Role::Unspecified, AccountStatus::Disabled);
    for _ in 0..2 {
        let changed = update(&service, &founder, &grace.id, off).await.unwrap();
        assert_eq!(changed.status(), AccountStatus::Disabled);
    }
    service.refuses_soon(&hers.access_token).await;
    service.is_signed_out(&hers.refresh_token).await;
    let refused = service.login(GRACE, PASSWORD).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    let on = (Role::Unspecified, AccountStatus::Active);
    update(&service, &founder, &grace.id, on).await.unwrap();
    let back = service.token(GRACE, PASSWORD).await;
    service.get_me(&back).await.unwrap();
    // What was ended stays ended.
    service.is_signed_out(&hers.refresh_token).await;
    let changes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'user.changed'")
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
    assert_eq!(changes, 2);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn one_superadmin_always_stays() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let founder_id = service.get_me(&founder).await.unwrap().id;
    for less in [
        (Role::Admin, AccountStatus::Unspecified),
        (Role::Unspecified, AccountStatus::Disabled),
    ] {
        let refused = update(&service, &founder, &founder_id, less)
            .await
            .unwrap_err();
        assert_eq!(refused.reason, ErrorReason::LastSuperadmin);
    }
    // Two who take each other's rights at the same moment: one is too late.
    let grace = service.admin(&db, GRACE, Role::Superadmin).await;
    let hers = service.token(GRACE, PASSWORD).await;
    let less = (Role::Admin, AccountStatus::Unspecified);
    let (one, other) = tokio::join!(
        update(&service, &founder, &grace.id, less),
        update(&service, &hers, &founder_id, less),
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'superadmin'")
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap();
    assert_eq!(left, 1);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let (db, service) = founded().await;
    let here = service.login(EMAIL, PASSWORD).await.unwrap();
    let there = service.login(EMAIL, PASSWORD).await.unwrap();
    let wrong = change(&service, &here.access_token, "wrong", NEW_PASSWORD).await;
    assert_eq!(wrong.unwrap_err().reason, ErrorReason::InvalidCredentials);
    let easy = change(&service, &here.access_token, PASSWORD, "passwordpassword").await;
    assert_eq!(easy.unwrap_err().fields[0].field, "new_password");
    change(&service, &here.access_token, PASSWORD, NEW_PASSWORD)
        .await
        .unwrap();
    service.refresh(&here.refresh_token).await.unwrap();
    service.is_signed_out(&there.refresh_token).await;
    service.refuses_soon(&there.access_token).await;
    let refused = service.login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    service.login(EMAIL, NEW_PASSWORD).await.unwrap();
    let id = here.user.unwrap().id;
    assert_eq!(
        on_record(&db, "user.password_changed").await,
        [(id.clone(), format!("user {id}"))]
    );
    service.stop().await;
    check_invariants(&db).await;
}
