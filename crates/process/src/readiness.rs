//! Whether the service can do its work, and if not, why: health by `grpc.health.v1`, the reasons
//! in a header of its answers.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use http::{HeaderValue, Response};
use tonic::body::Body;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::Shutdown;

/// On answers of the health service: the names of the dependencies that are not ready.
pub const UNREADY_HEADER: &str = "x-boxoffice-unready";

const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// Until everything has been asked for the first time.
const STARTING: &str = "starting";
const SHUTTING_DOWN: &str = "shutting down";

/// Asks one thing that the service depends on.
pub struct Check {
    pub name: &'static str,
    pub ask: Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>,
}

impl Check {
    /// The name, if there is no good answer in time.
    async fn failing(&self) -> Option<&'static str> {
        let error = match tokio::time::timeout(CHECK_TIMEOUT, (self.ask)()).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        tracing::debug!(check = self.name, error, "a dependency is not ready");
        Some(self.name)
    }
}

/// Why the service is not ready: names only, because whoever connects may ask.
#[derive(Clone, Default)]
pub struct Reasons(Arc<RwLock<Vec<&'static str>>>);

impl Reasons {
    pub fn are_none(&self) -> bool {
        let reasons = self.0.read().unwrap_or_else(PoisonError::into_inner);
        reasons.is_empty()
    }

    fn replace(&self, reasons: Vec<&'static str>) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != reasons;
        *known = reasons;
        changed
    }

    /// The answer of the health service, with the reasons.
    pub fn told(&self, mut answer: Response<Body>) -> Response<Body> {
        let reasons = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .join(", ");
        if let (false, Ok(reasons)) = (reasons.is_empty(), HeaderValue::from_str(&reasons)) {
            answer.headers_mut().insert(UNREADY_HEADER, reasons);
        }
        answer
    }
}

pub struct Readiness {
    pub services: Vec<&'static str>,
    pub checks: Vec<Check>,
    pub health: HealthReporter,
    pub reasons: Reasons,
}

impl Readiness {
    /// Asks every second until the shutdown, which ends readiness for good.
    pub async fn watch(&self, shutdown: &Shutdown) {
        loop {
            let failing = join_all(self.checks.iter().map(Check::failing)).await;
            self.tell(failing.into_iter().flatten().collect()).await;
            tokio::select! {
                () = shutdown.begun() => break,
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
            }
        }
        self.tell(vec![SHUTTING_DOWN]).await;
    }

    /// Not ready before the first round.
    pub async fn begin(&self) {
        self.set(ServingStatus::NotServing).await;
        self.reasons.replace(vec![STARTING]);
    }

    async fn tell(&self, reasons: Vec<&'static str>) {
        let status = if reasons.is_empty() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        let text = reasons.join(", ");
        if self.reasons.replace(reasons) {
            match status {
                ServingStatus::Serving => tracing::info!("ready"),
                _ => tracing::warn!(reasons = text, "not ready"),
            }
        }
        self.set(status).await;
    }

    async fn set(&self, status: ServingStatus) {
        // The empty name stands for the whole server.
        for service in self.services.iter().chain(&[""]) {
            self.health.set_service_status(*service, status).await;
        }
    }
}
