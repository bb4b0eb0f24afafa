use crate::{Gate, connect, fresh, put};
use db::{Db, DbConfig};

#[tokio::test]
async fn a_busy_pool_is_no_absent_database() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let answers = db.answers();
    let gate = Gate::shut();
    let work = tokio::spawn({
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
    answers().await.unwrap();
    gate.open();
    work.await.unwrap().unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_broken_session_is_replaced() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let answers = db.answers();
    answers().await.unwrap();
    db.close().await;
    let mut session = database.connect().await;
    sqlx::query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut session)
    .await
    .unwrap();
    answers().await.unwrap_err();
    answers().await.unwrap();
}

#[tokio::test]
async fn nobody_at_the_address_is_no_answer() {
    let config = DbConfig::new("postgres://postgres@127.0.0.1:9/none", "db-it");
    let answers = Db::connect_lazy(&config).unwrap().answers();
    answers().await.unwrap_err();
}
