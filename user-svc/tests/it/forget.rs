//! What is of no use any more goes, and nothing else.

use base::Sources;
use testkit::eventually;

use crate::harness::{EMAIL, PASSWORD, PATIENCE, Service, check_invariants, config, database};

/// More than one bite, of each kind.
const ROWS: &str = "
    INSERT INTO failed_logins (subject, failures, last_at, free_at)
    SELECT sha256(n::text::bytea), 1, $1, $1 FROM generate_series(1, 2500) n
";

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_bite_by_bite() {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(8);
    let service = Service::start_with(config(&db.url), sources.clone()).await;
    service.setup(service.setup_request()).await.unwrap();
    let settings = service.config.clone();
    for _ in 0..3 {
        service.login(EMAIL, PASSWORD).await.unwrap();
        clock.advance(time::Duration::seconds(1));
    }
    service.stop().await;
    let mut conn = db.connect().await;
    let then = sources.now();
    sqlx::query(ROWS)
        .bind(then)
        .execute(&mut conn)
        .await
        .unwrap();
    for ended in [
        "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at)
         SELECT gen_random_uuid(), u.id, sha256(n::text::bytea), $1, $1
         FROM users u, generate_series(1, 1500) n",
        "INSERT INTO invitations (id, email, email_key, role, token_hash, invited_by, created_at,
                                  sent_at, expires_at, revoked_at)
         SELECT gen_random_uuid(), n::text, n::text, 'admin', sha256(n::text::bytea), u.id, $1, $1,
                $1, $1 FROM users u, generate_series(1, 3) n",
        "INSERT INTO account_requests (id, email, email_key, note, locale, created_at, decided_at)
         SELECT gen_random_uuid(), n::text, n::text, '', '', $1, $1 FROM generate_series(1, 3) n",
        // That nobody has decided: of 31 days, and of 29.
        "INSERT INTO account_requests (id, email, email_key, note, locale, created_at)
         SELECT gen_random_uuid(), n::text, n::text, '', '', $1 + n * interval '1 day'
         FROM unnest('{60, 62}'::int[]) n",
        "INSERT INTO second_factors (user_id, sealed_secret, created_at, last_step)
         SELECT id, '', $1, 0 FROM users",
    ] {
        let inserted = sqlx::query(ended).bind(then).execute(&mut conn).await;
        inserted.unwrap();
    }
    clock.advance(time::Duration::days(91));
    let service = Service::start_with(settings, sources).await;
    eventually("the old rows are gone", PATIENCE, || async {
        let left: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM failed_logins), (SELECT count(*) FROM password_resets),
                    (SELECT count(*) FROM invitations), (SELECT count(*) FROM account_requests),
                    (SELECT count(*) FROM second_factors), (SELECT count(*) FROM refresh_tokens),
                    (SELECT count(*) FROM sessions)",
        )
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap();
        // A wish of late that nobody has decided stays, and the last session says when its account was seen.
        (left == (0, 0, 0, 1, 0, 0, 1)).then_some(())
    })
    .await;
    service.login(EMAIL, PASSWORD).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn the_record_can_be_neither_changed_nor_emptied() {
    let (db, service) = crate::harness::founded().await;
    let mut conn = db.connect().await;
    for change in [
        "UPDATE audit_log SET action = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let refused = sqlx::query(change).execute(&mut conn).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    service.stop().await;
    check_invariants(&db).await;
}
