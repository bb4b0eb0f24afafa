//! A row that stays open shows that something is wrong, whatever it is.

use std::{sync::atomic::Ordering, time::Duration};

use events::oldest_open_age;

use crate::harness::Harness;

#[tokio::test]
async fn the_oldest_open_row_has_an_age_until_it_is_confirmed() {
    let harness = Harness::without_nats().await;
    assert_eq!(oldest_open_age(&harness.db).await.unwrap(), None);
    harness.receiver.fail_next.store(1, Ordering::SeqCst);
    let id = harness.enqueue().await;
    harness.enqueue().await;
    sqlx::query("UPDATE outbox SET created_at = created_at - interval '1 hour' WHERE id = $1")
        .bind(id.uuid())
        .execute(&harness.rows)
        .await
        .unwrap();
    let age = oldest_open_age(&harness.db).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert!(
        age.is_some_and(|age| age >= hour && age < hour * 2),
        "{age:?}"
    );

    harness.let_time_pass().await;
    harness.all_closed().await;
    assert_eq!(oldest_open_age(&harness.db).await.unwrap(), None);
    harness.check_invariants().await;
}
