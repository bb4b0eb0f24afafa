//! How the services are. Anybody may ask, as often as they like, and each answer takes a call to each
//! service: so one answer is good for a second, and who asks meanwhile waits for the same one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use kit::UNREADY_HEADER;
use tokio::sync::Mutex;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{app::Upstreams, upstream::Upstream};

const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
const KEPT: Duration = Duration::from_secs(1);

/// Each service by name, with why it cannot do its work; none if it can.
pub type Faults = Arc<[(&'static str, Option<String>)]>;

#[derive(Default)]
pub struct Probes(Mutex<Option<(Instant, Faults)>>);

impl Probes {
    /// How they are now, or were within the last second.
    pub async fn faults(&self, upstreams: &Upstreams) -> Faults {
        let round = async || {
            let probes = upstreams
                .health()
                .map(async |(name, client)| (name, fault(client).await));
            join_all(probes).await.into()
        };
        self.kept(round).await
    }

    /// Who comes while one asks waits for the lock, and then finds the answer.
    async fn kept(&self, round: impl AsyncFnOnce() -> Faults) -> Faults {
        let mut last = self.0.lock().await;
        if let Some((asked, faults)) = &*last
            && asked.elapsed() < KEPT
        {
            return faults.clone();
        }
        let faults = round().await;
        *last = Some((Instant::now(), faults.clone()));
        faults
    }
}

async fn fault(mut client: HealthClient<Upstream>) -> Option<String> {
    let check = client.check(HealthCheckRequest {
        service: String::new(),
    });
    let Ok(Ok(answer)) = tokio::time::timeout(PROBE_TIMEOUT, check).await else {
        return Some("no answer".to_owned());
    };
    if answer.get_ref().status() == ServingStatus::Serving {
        return None;
    }
    let reasons = answer.metadata().get(UNREADY_HEADER);
    let reasons = reasons.and_then(|reasons| reasons.to_str().ok());
    Some(reasons.unwrap_or("not serving").to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn two_hundred_at_once_make_one_round_and_a_second_later_there_is_another() {
        let (probes, rounds) = (Probes::default(), AtomicUsize::new(0));
        let ask = || {
            probes.kept(async || {
                rounds.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Faults::from([("ticket-svc", Some("database".to_owned()))])
            })
        };
        for faults in join_all((0..200).map(|_| ask())).await {
            assert_eq!(faults[0].1.as_deref(), Some("database"));
        }
        assert_eq!(rounds.load(Ordering::Relaxed), 1);
        let before = Instant::now().checked_sub(KEPT).unwrap();
        if let Some((asked, _)) = &mut *probes.0.lock().await {
            *asked = before;
        }
        ask().await;
        ask().await;
        assert_eq!(rounds.load(Ordering::Relaxed), 2);
    }
}
