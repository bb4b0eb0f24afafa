//! How much a job has in hand at once. Each piece of work has a task and a place of its own, so one that
//! waits for a slow provider delays nothing but itself.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A job claims no more than it can begin at once: what waits in memory is nobody else's to take up.
const PLACES: usize = 64;

pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Room {
    /// Every free place, one or more: waits for the first.
    pub async fn places(&self) -> anyhow::Result<Vec<OwnedSemaphorePermit>> {
        let mut places = vec![self.0.clone().acquire_owned().await?];
        while let Ok(place) = self.0.clone().try_acquire_owned() {
            places.push(place);
        }
        Ok(places)
    }
}

/// As a number of rows.
pub(super) fn count(places: &[OwnedSemaphorePermit]) -> i64 {
    i64::try_from(places.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_its_work_ends() {
        let room = Room::default();
        let mut taken = room.places().await.unwrap();
        assert_eq!(taken.len(), PLACES);
        taken.truncate(PLACES - 2);
        assert_eq!(room.places().await.unwrap().len(), 2);
    }
}
