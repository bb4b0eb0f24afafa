//! Codes of an authenticator, and recovery codes.

use std::time::Duration;

use aws_lc_rs::hmac;
use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    user::{
        BeginSecondFactorRequest, ConfirmSecondFactorRequest, LoginRequest, LoginResponse,
        RemoveSecondFactorRequest, ResetSecondFactorRequest, Role,
        second_factor_service_client::SecondFactorServiceClient,
    },
};
use sqlx::Connection as _;
use testkit::TestDb;

use crate::harness::{
    Channel, EMAIL, PASSWORD, Service, as_admin, check_invariants, config, database, told,
};

/// What a crowd is told to wait. After six wrong codes the next one waits for one second.
const CROWDED_FOR: Duration = Duration::from_secs(2);
const GRACE: &str = "grace@example.org";

struct World {
    db: TestDb,
    service: Service,
    clock: ManualClock,
    sources: Sources,
}

async fn world() -> World {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(6);
    let service = Service::start_with(config(&db.url), sources.clone()).await;
    service.setup(service.setup_request()).await.unwrap();
    World {
        db,
        service,
        clock,
        sources,
    }
}

/// An authenticator of its own making.
struct Authenticator(Vec<u8>);

impl Authenticator {
    fn read(base32: &str) -> Self {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits: String = base32
            .chars()
            .map(|letter| format!("{:05b}", alphabet.find(letter).unwrap()))
            .collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        Self(bytes.map(byte).collect())
    }

    fn code(&self, sources: &Sources) -> String {
        let step = sources.now().unix_timestamp() / 30;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let word: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
        format!(
            "{:06}",
            (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
        )
    }
}

impl World {
    fn factors(&self) -> SecondFactorServiceClient<Channel> {
        SecondFactorServiceClient::new(self.service.caller(Peer::Gateway))
    }

    async fn login(&self, email: &str, code: &str) -> Result<LoginResponse, Failure> {
        let request = LoginRequest {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            code: code.to_owned(),
            ..LoginRequest::default()
        };
        told(self.service.sessions().login(request).await)
    }

    async fn begin(&self, token: &str, password: &str) -> Result<Authenticator, Failure> {
        let request = BeginSecondFactorRequest {
            password: password.to_owned(),
            network: String::new(),
        };
        let begun = told(
            self.factors()
                .begin_second_factor(as_admin(token, request))
                .await,
        )?;
        assert!(begun.address.contains(&begun.secret), "{}", begun.address);
        Ok(Authenticator::read(&begun.secret))
    }

    async fn confirm(&self, token: &str, code: String) -> Result<Vec<String>, Failure> {
        let request = as_admin(token, ConfirmSecondFactorRequest { code });
        told(self.factors().confirm_second_factor(request).await).map(|told| told.recovery_codes)
    }

    /// An account with a second factor: its authenticator and its recovery codes.
    async fn with_factor(&self, email: &str) -> (Authenticator, Vec<String>) {
        let token = self.login(email, "").await.unwrap().access_token;
        let authenticator = self.begin(&token, PASSWORD).await.unwrap();
        let codes = self
            .confirm(&token, authenticator.code(&self.sources))
            .await;
        self.clock.advance(time::Duration::seconds(30));
        (authenticator, codes.unwrap())
    }

    async fn end(self) {
        self.service.stop().await;
        check_invariants(&self.db).await;
    }
}

#[tokio::test]
async fn signing_in_takes_a_code_once_it_is_confirmed() {
    let world = world().await;
    let here = world.login(EMAIL, "").await.unwrap();
    let there = world.login(EMAIL, "").await.unwrap();
    let wrong = world
        .begin(&here.access_token, "wrong")
        .await
        .err()
        .unwrap();
    assert_eq!(wrong.reason, ErrorReason::InvalidCredentials);
    let authenticator = world.begin(&here.access_token, PASSWORD).await.unwrap();
    // Begun is not confirmed.
    world.login(EMAIL, "").await.unwrap();
    let wrong = world.confirm(&here.access_token, "000000".to_owned()).await;
    assert_eq!(wrong.unwrap_err().fields[0].field, "code");
    let codes = world
        .confirm(&here.access_token, authenticator.code(&world.sources))
        .await;
    assert_eq!(codes.unwrap().len(), 10);
    world.service.refresh(&here.refresh_token).await.unwrap();
    world.service.is_signed_out(&there.refresh_token).await;

    let without = world.login(EMAIL, "").await.unwrap_err();
    assert_eq!(without.reason, ErrorReason::SecondFactorRequired);
    // The code that confirmed it was used.
    let used = world
        .login(EMAIL, &authenticator.code(&world.sources))
        .await
        .unwrap_err();
    assert_eq!(used.reason, ErrorReason::InvalidCredentials);
    world.clock.advance(time::Duration::seconds(30));
    let code = authenticator.code(&world.sources);
    let (one, other) = tokio::join!(world.login(EMAIL, &code), world.login(EMAIL, &code));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let again = world
        .begin(&here.access_token, PASSWORD)
        .await
        .err()
        .unwrap();
    assert_eq!(again.fields[0].field, "second_factor");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_password_tells_nothing_of_the_factor() {
    let world = world().await;
    let (authenticator, _) = world.with_factor(EMAIL).await;
    let request = LoginRequest {
        email: EMAIL.to_owned(),
        password: "not this one, surely".to_owned(),
        code: authenticator.code(&world.sources),
        ..LoginRequest::default()
    };
    let with_code = told(world.service.sessions().login(request.clone()).await).unwrap_err();
    let request = LoginRequest {
        code: String::new(),
        ..request
    };
    let without = told(world.service.sessions().login(request).await).unwrap_err();
    assert_eq!(format!("{with_code:?}"), format!("{without:?}"));
    world.end().await;
}

#[tokio::test]
async fn codes_are_counted_for_themselves_and_for_longer() {
    let world = world().await;
    let (authenticator, codes) = world.with_factor(EMAIL).await;
    // Both kinds are one count.
    for wrong in ["000000", "abcd-efgh-ijkl-mnop"].iter().cycle().take(6) {
        let refused = world.login(EMAIL, wrong).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    let mut longest = Duration::ZERO;
    for _ in 0..15 {
        let refused = world.login(EMAIL, "000000").await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        longest = refused.retry_after.unwrap();
        world
            .clock
            .advance(time::Duration::try_from(longest).unwrap());
        let refused = world.login(EMAIL, "000000").await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    assert_eq!(longest, Duration::from_secs(3600));
    let early = world.login(EMAIL, &codes[0]).await.unwrap_err();
    assert_eq!(early.reason, ErrorReason::TooManyRequests);
    // Who does not know the password hears nothing of it, and their password is as free as ever.
    let stranger = world.service.login(EMAIL, "not this one, surely").await;
    assert_eq!(
        stranger.unwrap_err().reason,
        ErrorReason::InvalidCredentials
    );
    world.clock.advance(time::Duration::hours(1));
    world
        .login(EMAIL, &authenticator.code(&world.sources))
        .await
        .unwrap();
    world.end().await;
}

#[tokio::test]
async fn of_many_codes_at_once_only_the_free_ones_are_tried() {
    let world = world().await;
    world.with_factor(EMAIL).await;
    let tries = (0..40).map(async |_| {
        loop {
            let refused = world.login(EMAIL, "000000").await.unwrap_err();
            match refused.reason {
                ErrorReason::InvalidCredentials => return true,
                ErrorReason::TooManyRequests if refused.retry_after == Some(CROWDED_FOR) => {
                    // The password is not counted while codes are tried, so this is the crowd.
                    tokio::task::yield_now().await;
                }
                ErrorReason::Overloaded => tokio::task::yield_now().await,
                ErrorReason::TooManyRequests => return false,
                other => panic!("{other:?}"),
            }
        }
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.into_iter().filter(|tried| *tried).count(), 6);
    world.end().await;
}

#[tokio::test]
async fn what_was_begun_is_confirmed_soon_or_not_at_all() {
    let world = world().await;
    let token = world.login(EMAIL, "").await.unwrap().access_token;
    let old = world.begin(&token, PASSWORD).await.unwrap();
    world.clock.advance(time::Duration::minutes(15));
    let token = world.login(EMAIL, "").await.unwrap().access_token;
    let late = world.confirm(&token, old.code(&world.sources)).await;
    assert_eq!(late.unwrap_err().fields[0].field, "code");

    let new = world.begin(&token, PASSWORD).await.unwrap();
    for _ in 0..6 {
        let wrong = world.confirm(&token, "000000".to_owned()).await;
        assert_eq!(wrong.unwrap_err().fields[0].field, "code");
    }
    let often = world.confirm(&token, new.code(&world.sources)).await;
    assert_eq!(often.unwrap_err().reason, ErrorReason::TooManyRequests);
    world.clock.advance(time::Duration::seconds(1));
    world
        .confirm(&token, new.code(&world.sources))
        .await
        .unwrap();
    world.end().await;
}

/// Until somebody waits for a lock in this database.
async fn somebody_waits(db: &TestDb) {
    let mut conn = db.connect().await;
    loop {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        if waiting {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_code_confirms_the_secret_it_was_made_of() {
    let world = world().await;
    let token = world.login(EMAIL, "").await.unwrap().access_token;
    let first = world.begin(&token, PASSWORD).await.unwrap();
    let mut held = world.db.connect().await;
    let mut tx = held.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM users FOR NO KEY UPDATE");
    lock.execute(&mut *tx).await.unwrap();
    let meanwhile = async {
        somebody_waits(&world.db).await;
        world.begin(&token, PASSWORD).await.unwrap();
        tx.commit().await.unwrap();
    };
    let code = first.code(&world.sources);
    let (confirmed, ()) = tokio::join!(world.confirm(&token, code), meanwhile);
    assert_eq!(confirmed.unwrap_err().fields[0].field, "second_factor");
    world.login(EMAIL, "").await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn who_signs_in_while_it_is_confirmed_is_asked_for_a_code() {
    let world = world().await;
    let token = world.login(EMAIL, "").await.unwrap().access_token;
    world.begin(&token, PASSWORD).await.unwrap();
    let mut held = world.db.connect().await;
    let mut tx = held.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM users FOR NO KEY UPDATE");
    lock.execute(&mut *tx).await.unwrap();
    let meanwhile = async {
        somebody_waits(&world.db).await;
        let confirm = sqlx::query("UPDATE second_factors SET confirmed_at = clock_timestamp()");
        confirm.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (entered, ()) = tokio::join!(world.login(EMAIL, ""), meanwhile);
    assert_eq!(
        entered.unwrap_err().reason,
        ErrorReason::SecondFactorRequired
    );
    world.end().await;
}

#[tokio::test]
async fn a_recovery_code_works_once() {
    let world = world().await;
    let (_, codes) = world.with_factor(EMAIL).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    world.login(EMAIL, &typed).await.unwrap();
    for wrong in [codes[0].as_str(), "abcd-efgh-ijkl-mnop"] {
        let refused = world.login(EMAIL, wrong).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    world.login(EMAIL, &codes[1]).await.unwrap();
    let left: Vec<(serde_json::Value,)> = sqlx::query_as(
        "SELECT after->'left' FROM audit_log
         WHERE action = 'user.recovery_code_used' AND object_kind = 'user'
           AND EXISTS (SELECT FROM sessions s WHERE s.id::text = after->>'session') ORDER BY seq",
    )
    .fetch_all(&mut world.db.connect().await)
    .await
    .unwrap();
    assert_eq!(left, [(9.into(),), (8.into(),)]);
    let letters = codes[2].replace('-', "");
    for written in [&codes[2], &letters] {
        assert_eq!(world.db.tables_with(written).await, [""; 0]);
    }
    world.end().await;
}

#[tokio::test]
async fn it_is_removed_by_its_owner_and_reset_by_a_superadmin() {
    let world = world().await;
    let grace = world.service.admin(&world.db, GRACE, Role::Admin).await;
    let (authenticator, _) = world.with_factor(GRACE).await;
    let hers = world
        .login(GRACE, &authenticator.code(&world.sources))
        .await
        .unwrap();
    let remove = RemoveSecondFactorRequest {
        password: PASSWORD.to_owned(),
        network: String::new(),
    };
    for _ in 0..2 {
        let request = as_admin(&hers.access_token, remove.clone());
        told(world.factors().remove_second_factor(request).await).unwrap();
    }
    world.login(GRACE, "").await.unwrap();

    let (authenticator, _) = world.with_factor(GRACE).await;
    let hers = world
        .login(GRACE, &authenticator.code(&world.sources))
        .await
        .unwrap();
    let founder = world.service.token(EMAIL, PASSWORD).await;
    let reset = |user_id: &str| ResetSecondFactorRequest {
        user_id: user_id.to_owned(),
    };
    let foreign = as_admin(&hers.access_token, reset(&grace.id));
    let refused = told(world.service.accounts().reset_second_factor(foreign).await).unwrap_err();
    assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    let absent = as_admin(&founder, reset("0190b6a2-7c1e-7000-8000-000000000009"));
    let refused = told(world.service.accounts().reset_second_factor(absent).await).unwrap_err();
    assert_eq!(refused.reason, ErrorReason::NotFound);
    let me = world.service.get_me(&founder).await.unwrap();
    let own = as_admin(&founder, reset(&me.id));
    let refused = told(world.service.accounts().reset_second_factor(own).await).unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidRequest);
    let request = as_admin(&founder, reset(&grace.id));
    told(world.service.accounts().reset_second_factor(request).await).unwrap();
    world.login(GRACE, "").await.unwrap();
    let recorded: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE action LIKE 'user.second%' ORDER BY seq",
    )
    .fetch_all(&mut world.db.connect().await)
    .await
    .unwrap();
    let (added, removed) = ("user.second_factor_added", "user.second_factor_removed");
    assert_eq!(recorded, [added, removed, added, removed]);
    world.end().await;
}
