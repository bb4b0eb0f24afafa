use crate::{connect, fresh};
use db::{ConstraintKind, Db, DbError};
use kit::{Certainty, ErrorReason, Failure};

async fn failing(db: &Db, sql: &'static str) -> DbError {
    let outcome: Result<(), DbError> = db
        .run(sql, |session, sql| {
            Box::pin(async move {
                sqlx::query(*sql).execute(session).await?;
                Ok(())
            })
        })
        .await;
    outcome.unwrap_err()
}

#[tokio::test]
async fn a_violated_rule_says_its_name() {
    let database = fresh().await;
    let db = connect(&database.url, 2).await;
    for (sql, name, expected) in [
        (
            "INSERT INTO things (id) VALUES (1), (1)",
            "things_pkey",
            ConstraintKind::Unique,
        ),
        (
            "INSERT INTO things (id, n) VALUES (1, -1)",
            "things_n_positive",
            ConstraintKind::Check,
        ),
        (
            "INSERT INTO things (id, n) VALUES (1, NULL)",
            "n",
            ConstraintKind::NotNull,
        ),
        (
            "INSERT INTO things (id, group_id) VALUES (1, 9)",
            "things_group_fkey",
            ConstraintKind::Foreign,
        ),
        // Deferred: the statement succeeds, the rule speaks at the end.
        (
            "INSERT INTO things (id, twin) VALUES (1, 9)",
            "things_twin_fkey",
            ConstraintKind::Foreign,
        ),
    ] {
        let error = failing(&db, sql).await;
        assert_eq!(error.constraint(), Some(name), "{error}");
        assert!(
            matches!(error, DbError::Constraint { kind, .. } if kind == expected),
            "{error}"
        );
    }
    let too_long = failing(&db, "INSERT INTO things (id, label) VALUES (1, 'four')").await;
    assert!(matches!(too_long, DbError::Invalid(_)), "{too_long}");
    let nonsense = failing(&db, "INSERT INTO nowhere VALUES (1)").await;
    assert!(matches!(nonsense, DbError::Other(_)), "{nonsense}");
    assert_eq!(crate::rows(&database).await, 0);
}

#[tokio::test]
async fn sessions_have_limits_and_a_name() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    for (setting, expected) in [
        ("statement_timeout", "3s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("application_name", "db-it"),
        ("TimeZone", "UTC"),
    ] {
        let value: Result<String, DbError> = db
            .read(setting, |session, setting| {
                Box::pin(async move {
                    let value = sqlx::query_scalar("SELECT current_setting($1)").bind(*setting);
                    Ok(value.fetch_one(session).await?)
                })
            })
            .await;
        assert_eq!(value.unwrap(), expected, "{setting}");
    }
}

#[test]
fn every_error_says_whether_something_happened() {
    let busy = Failure::from(DbError::Busy);
    assert_eq!(
        (busy.reason, busy.certainty),
        (ErrorReason::Overloaded, Certainty::NotDone)
    );
    assert!(busy.retry_after.is_some());
    for error in [DbError::OutcomeUnknown, DbError::Timeout] {
        let failure = Failure::from(&error);
        assert_eq!(failure.reason, ErrorReason::OutcomeUnknown);
        assert_eq!(failure.certainty, Certainty::Unknown);
    }
    let kind = ConstraintKind::Unique;
    let fault = Failure::from(DbError::Constraint {
        name: "secret_rule".to_owned(),
        kind,
    });
    assert_eq!(
        (fault.reason, fault.certainty),
        (ErrorReason::Internal, Certainty::NotDone)
    );
    assert!(
        !fault.detail.contains("secret_rule"),
        "internal detail is logged, never answered"
    );
}
