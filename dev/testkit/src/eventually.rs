use std::future::Future;
use std::time::{Duration, Instant};

/// Polls `probe` until it gives a value and returns that value. This is the one place of a test that may sleep.
///
/// # Panics
/// After `timeout`, with `what` in the message.
pub async fn eventually<T, F, Fut>(what: &str, timeout: Duration, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    let mut probes = 0_u32;
    let mut pause = Duration::from_millis(5);
    loop {
        // A probe that hangs must not outlive the time limit either.
        let left = timeout.saturating_sub(started.elapsed());
        match tokio::time::timeout(left.max(Duration::from_millis(1)), probe()).await {
            Ok(Some(value)) => return value,
            Ok(None) => probes += 1,
            Err(_) => panic!(
                "not within {timeout:?}: {what} (probe {} did not return)",
                probes + 1
            ),
        }
        if started.elapsed() >= timeout {
            panic!("not within {timeout:?}: {what} ({probes} probes)");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Holds a promise about time on a machine that others use as well: `measure` is repeated until it was within `limit` so
/// many times in a row. What is late by its own fault is late again and again, and is not lucky `in_a_row` times; what was
/// late because the machine had no time for it is on time soon.
///
/// # Panics
/// If that does not come about within a minute, with what was measured.
pub async fn on_time<F>(what: &str, limit: Duration, in_a_row: usize, mut measure: F)
where
    F: AsyncFnMut() -> Duration,
{
    let started = Instant::now();
    let (mut times, mut row) = (Vec::new(), 0);
    while row < in_a_row {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "not {in_a_row} times in a row within {limit:?}: {what} ({times:?})"
        );
        let took = Box::pin(measure()).await;
        row = if took <= limit { row + 1 } else { 0 };
        times.push(took);
    }
}
