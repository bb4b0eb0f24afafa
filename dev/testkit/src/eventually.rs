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
