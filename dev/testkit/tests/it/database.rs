use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};
use testkit::TestDb;

static MIGRATOR: Migrator = sqlx::migrate!("tests/it/migrations");

async fn things(db: &TestDb) -> i64 {
    let mut connection = db.connect().await;
    sqlx::query_scalar("SELECT count(id) FROM things")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn add_thing(db: &TestDb) {
    let add = sqlx::query("INSERT INTO things (id, name) VALUES (2, 'mine')");
    add.execute(&db.pool().await).await.unwrap();
}

#[tokio::test]
async fn each_test_has_its_own_copy() {
    let (one, two) = tokio::join!(
        testkit::database("things", &MIGRATOR),
        testkit::database("things", &MIGRATOR)
    );
    assert_ne!(one.name, two.name);
    add_thing(&one).await;
    assert_eq!(things(&one).await, 2);
    assert_eq!(things(&two).await, 1);
}

// The next two run side by side with the first: in threads and runtimes of their own.
#[tokio::test]
async fn another_runtime_gets_a_copy_too() {
    let db = testkit::database("things", &MIGRATOR).await;
    add_thing(&db).await;
    assert_eq!(things(&db).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_with_threads_gets_a_copy_too() {
    let db = testkit::database("things", &MIGRATOR).await;
    assert_eq!(things(&db).await, 1);
}

#[tokio::test]
async fn a_second_template_has_another_owner() {
    let one = testkit::database("things", &MIGRATOR).await;
    let two = testkit::database("other", &MIGRATOR).await;
    let foreign = two.url.replace(&two.name, &one.name);
    let mut connection = PgConnection::connect(&foreign).await.unwrap();
    let refused = sqlx::query("SELECT id FROM things")
        .execute(&mut connection)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_fault_can_be_made_as_superuser() {
    let db = testkit::database("things", &MIGRATOR).await;
    let mut victim = db.connect().await;
    let mut admin = PgConnection::connect(&db.admin_url()).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()")
        .bind(&db.name)
        .execute(&mut admin)
        .await
        .unwrap();
    assert!(victim.ping().await.is_err());
}
