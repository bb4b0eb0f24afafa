use crate::{Gate, ServiceError, connect, fresh, put, rows};
use db::DbError;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_caller_that_leaves_cancels_nothing() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let gate = Gate::shut();
    let caller = tokio::spawn({
        let (db, gate) = (db.clone(), gate.clone());
        async move {
            db.run(gate, |session, gate| {
                Box::pin(async move {
                    put(&mut *session, 1).await?;
                    gate.pass().await;
                    put(session, 2).await
                })
            })
            .await
        }
    });
    gate.arrived(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!((db.in_flight(), rows(&database).await), (1, 0));

    gate.open();
    // The pool has one session: this borrower gets the one that the abandoned transaction used.
    db.run((), |session, ()| put(session, 3)).await.unwrap();
    assert_eq!(rows(&database).await, 3);
    db.close().await;
    assert_eq!(db.in_flight(), 0);
}

#[tokio::test]
async fn a_caller_that_hears_timeout_has_cancelled_nothing() {
    let database = fresh().await;
    let mut config = crate::config(&database.url, 2);
    config.run_deadline = Duration::from_millis(200);
    let db = db::Db::connect(&config).await.unwrap();
    let gate = Gate::shut();
    let outcome = db
        .run(gate.clone(), |session, gate| {
            Box::pin(async move {
                gate.pass().await;
                put(session, 1).await
            })
        })
        .await;
    assert!(matches!(outcome, Err(DbError::Timeout)), "{outcome:?}");
    gate.open();
    db.close().await;
    assert_eq!(rows(&database).await, 1);
    let closed = db.run((), |session, ()| put(session, 2)).await;
    assert!(matches!(closed, Err(DbError::Busy)), "{closed:?}");
}

#[tokio::test]
async fn a_refusal_rolls_back() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let outcome = db
        .run((), |session, ()| {
            Box::pin(async move {
                put(session, 1).await?;
                Err::<(), _>(ServiceError::Refused)
            })
        })
        .await;
    assert!(matches!(outcome, Err(ServiceError::Refused)));
    assert_eq!(rows(&database).await, 0);
    db.run((), |session, ()| put(session, 2)).await.unwrap();
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_panic_rolls_back_and_reaches_the_caller() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let caller = tokio::spawn({
        let db = db.clone();
        async move {
            db.run((), |session, ()| {
                Box::pin(async move {
                    put(session, 1).await?;
                    panic!("on purpose");
                    #[expect(unreachable_code, reason = "gives the panicking work its type")]
                    Ok::<(), DbError>(())
                })
            })
            .await
        }
    });
    assert!(caller.await.unwrap_err().is_panic());
    assert_eq!(db.in_flight(), 0);
    db.run((), |session, ()| put(session, 2)).await.unwrap();
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_failed_statement_cannot_be_swallowed() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let outcome = db
        .run((), |session, ()| {
            Box::pin(async move {
                put(&mut *session, 1).await?;
                let _ = sqlx::query("SELECT 1 / 0").execute(session).await;
                Ok::<(), DbError>(())
            })
        })
        .await;
    assert!(matches!(outcome, Err(DbError::Other(_))), "{outcome:?}");
    assert_eq!(rows(&database).await, 0);
}

#[tokio::test]
async fn a_serialization_failure_is_repeated() {
    let database = fresh().await;
    let db = connect(&database.url, 2).await;
    db.run((), |session, ()| put(session, 1)).await.unwrap();
    let gate = Gate::shut();
    let add_one = || {
        let (db, gate) = (db.clone(), gate.clone());
        tokio::spawn(async move {
            db.run(gate, |session, gate| {
                Box::pin(async move {
                    sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                        .execute(&mut *session)
                        .await?;
                    let n: i32 = sqlx::query_scalar("SELECT n FROM things WHERE id = 1")
                        .fetch_one(&mut *session)
                        .await?;
                    gate.pass().await;
                    sqlx::query("UPDATE things SET n = $1 WHERE id = 1")
                        .bind(n + 1)
                        .execute(session)
                        .await?;
                    Ok::<(), sqlx::Error>(()).map_err(DbError::from)
                })
            })
            .await
        })
    };
    let (one, two) = (add_one(), add_one());
    gate.arrived(2).await;
    gate.open();
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    let n = db.read((), |session, ()| put(session, 1)).await.unwrap();
    assert_eq!(n, 9, "both were added to 7");
    assert!(gate.attempts() > 2, "one of them must have been repeated");
}

#[tokio::test]
async fn a_full_pool_says_busy_within_about_a_second() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let gate = Gate::shut();
    let holder = tokio::spawn({
        let (db, gate) = (db.clone(), gate.clone());
        async move {
            db.run(gate, |session, gate| {
                Box::pin(async move {
                    gate.pass().await;
                    put(session, 1).await
                })
            })
            .await
        }
    });
    gate.arrived(1).await;
    let start = Instant::now();
    let refused = db.run((), |session, ()| put(session, 2)).await;
    assert!(matches!(refused, Err(DbError::Busy)), "{refused:?}");
    assert!(
        (900..7000).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
    gate.open();
    holder.await.unwrap().unwrap();
    assert_eq!(rows(&database).await, 1);
}
