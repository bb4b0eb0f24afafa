//! One session that is kept between two pieces of work.

use crate::{assert_whole, connect, fresh, put, rows};
use db::{Db, DbError};
use futures::future::BoxFuture;
use sqlx::postgres::PgConnection;
use testkit::{Direction, FaultProxy};

/// Which server process works for us.
fn pid(session: &mut PgConnection) -> BoxFuture<'_, Result<i32, DbError>> {
    Box::pin(async move {
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()");
        Ok(pid.fetch_one(session).await?)
    })
}

/// A statement that inserts or finds.
fn put_at_once(session: &mut PgConnection, id: i32) -> BoxFuture<'_, Result<i32, DbError>> {
    Box::pin(async move {
        let put = "INSERT INTO things (id, n) VALUES ($1, 7)
                   ON CONFLICT (id) DO UPDATE SET n = things.n RETURNING n";
        Ok(sqlx::query_scalar(put).bind(id).fetch_one(session).await?)
    })
}

async fn put_statement(db: &Db, id: i32) -> Result<i32, DbError> {
    db.run_statement(id, |session, id| put_at_once(session, *id))
        .await
}

#[tokio::test]
async fn all_work_is_done_on_the_same_session_with_its_settings() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let kept = db.kept_session(&[("plan_cache_mode", "force_generic_plan")]);
    let first = kept.run((), |session, ()| pid(session)).await.unwrap();
    for id in 0..5 {
        assert_eq!(put_statement(&kept, id).await.unwrap(), 7);
        assert_eq!(kept.read((), |s, ()| pid(s)).await.unwrap(), first);
    }
    let mode: Result<String, DbError> = kept
        .read((), |session, ()| {
            Box::pin(async move {
                let mode = sqlx::query_scalar("SHOW plan_cache_mode");
                Ok(mode.fetch_one(session).await?)
            })
        })
        .await;
    assert_eq!(mode.unwrap(), "force_generic_plan");
    // It is not one of the pool's.
    assert_ne!(db.read((), |s, ()| pid(s)).await.unwrap(), first);
    assert_eq!(rows(&database).await, 5);
    kept.close().await;
    assert!(matches!(put_statement(&kept, 9).await, Err(DbError::Busy)));
    db.close().await;
}

#[tokio::test]
async fn a_worker_that_takes_what_is_due_goes_by_indexes_even_where_a_table_is_short() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let queue = db.queue_session();
    for id in 0..3 {
        put_statement(&queue, id).await.unwrap();
    }
    let plan: Result<Vec<String>, DbError> = queue
        .run((), |session, ()| {
            Box::pin(async move {
                sqlx::query("ANALYZE things").execute(&mut *session).await?;
                let plan = "EXPLAIN SELECT n FROM things WHERE id = ANY ('{1, 2}')";
                Ok(sqlx::query_scalar(plan).fetch_all(session).await?)
            })
        })
        .await;
    let plan = plan.unwrap().join("\n");
    assert!(plan.contains("Index Scan"), "{plan}");
    queue.close().await;
    db.close().await;
}

#[tokio::test]
async fn a_refusal_a_panic_and_a_foreign_statement_leave_nothing_open() {
    let database = fresh().await;
    let kept = connect(&database.url, 1).await.kept_session(&[]);
    let refused: Result<(), DbError> = kept
        .run((), |session, ()| {
            Box::pin(async move {
                put(session, 1).await?;
                Err(DbError::Busy)
            })
        })
        .await;
    assert!(matches!(refused, Err(DbError::Busy)));
    assert_whole(&kept, &database, 1).await;
    let before = rows(&database).await;
    let panicked = tokio::spawn({
        let kept = kept.clone();
        async move {
            let work: Result<(), DbError> = kept
                .run((), |session, ()| {
                    Box::pin(async move {
                        put(session, 1).await?;
                        panic!("in the middle");
                    })
                })
                .await;
            work
        }
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(rows(&database).await, before);
    assert_whole(&kept, &database, 1).await;
    kept.close().await;
}

#[tokio::test]
async fn a_statement_whose_answer_is_lost_is_done_once_and_answered() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let kept = connect(proxy.url(), 1).await.kept_session(&[]);
    put_statement(&kept, 1).await.unwrap();
    proxy.cut_after(Direction::Down, "INSERT", 1);
    assert_eq!(put_statement(&kept, 2).await.unwrap(), 7);
    assert_eq!(rows(&database).await, 2);
    kept.close().await;
}

#[tokio::test]
async fn a_session_that_ended_is_replaced_and_without_a_server_it_is_busy() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let kept = connect(proxy.url(), 1).await.kept_session(&[]);
    put_statement(&kept, 1).await.unwrap();
    proxy.reset_connected();
    put_statement(&kept, 2).await.unwrap();
    proxy.refuse(true);
    proxy.reset_connected();
    // It may have arrived before the reset, for all that is known here.
    let lost = put_statement(&kept, 3).await;
    assert!(
        matches!(lost, Err(DbError::Busy | DbError::OutcomeUnknown)),
        "{lost:?}"
    );
    let away = put_statement(&kept, 3).await;
    assert!(matches!(away, Err(DbError::Busy)), "{away:?}");
    proxy.refuse(false);
    put_statement(&kept, 3).await.unwrap();
    assert_eq!(rows(&database).await, 3);
    kept.close().await;
}
