use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Code, ErrorReason, Failure};

/// How many may wait for a place.
const QUEUE_MAX: usize = 256;
/// A refusal reaches its caller within 100 ms.
const QUEUE_TIMEOUT: Duration = Duration::from_millis(80);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lets so many calls run at once and a few wait. What is too much is refused soon: a long queue
/// only makes every caller give up, after the work for it was done.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Admission {
    pub fn new(calls_max: usize) -> Self {
        let queue = Arc::new(Semaphore::new(QUEUE_MAX));
        Self {
            places: Arc::new(Semaphore::new(calls_max)),
            queue,
        }
    }

    /// A place for one call, held as long as the result lives; `OVERLOADED` if there is none soon.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Some(place) = self.enter_at_once() {
            return Ok(place);
        }
        let _waiting = self.queue.try_acquire().map_err(|_full| overloaded())?;
        let place = self.places.clone().acquire_owned();
        match tokio::time::timeout(QUEUE_TIMEOUT, place).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(overloaded()),
        }
    }

    /// The same without waiting.
    pub fn enter_at_once(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }
}

fn overloaded() -> Failure {
    let detail = "There is too much to do at the moment. Try again shortly.";
    let mut failure = Failure::refused(Code::Unavailable, ErrorReason::Overloaded, detail);
    failure.retry_after = Some(RETRY_AFTER);
    failure
}
