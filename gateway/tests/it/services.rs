//! How the services are, as superadmins see it.

use std::time::Duration;

use kit::{Code, ErrorReason, Failure};
use proto::status::{self, Outbox};
use serde_json::{Value, json};
use tonic::{Request, async_trait};

use crate::{
    harness::{edge, refusal},
    stub::{Reply, Stub},
};

const SERVICES: &str = "/api/v1/admin/services";

#[async_trait]
impl status::status_service_server::StatusService for Stub {
    async fn get_status(
        &self,
        request: Request<status::GetStatusRequest>,
    ) -> Reply<status::GetStatusResponse> {
        let oldest = Duration::from_millis(61_700).try_into().ok();
        self.answer(request, |_| status::GetStatusResponse {
            version: "9.9.9".to_owned(),
            outbox: Some(Outbox { open: 3, oldest }),
        })
        .await
    }
}

#[tokio::test]
async fn each_says_its_version_and_what_is_not_confirmed() {
    edge(async |edge| {
        let answer = edge.get(SERVICES).bearer_auth("good").send().await.unwrap();
        let found: Value = answer.json().await.unwrap();
        let services = found["services"].as_array().unwrap();
        let names: Vec<_> = services.iter().map(|one| one["name"].clone()).collect();
        assert_eq!(
            names,
            [
                "gateway",
                "user-svc",
                "ticket-svc",
                "payment-svc",
                "notify-svc"
            ]
        );
        assert_eq!(services[0]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(
            services[3],
            json!({
                "name": "payment-svc", "answers": true, "version": "9.9.9",
                "outbox": {"open": 3, "oldest_seconds": 61},
            })
        );
        let nobody = refusal(edge.get(SERVICES)).await;
        assert_eq!(nobody, (401, "UNAUTHENTICATED".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn one_that_fails_is_listed_as_silent_and_who_may_not_ask_is_told_so() {
    edge(async |edge| {
        edge.stub
            .fail_times(1, || Failure::internal("broken").into_status());
        let answer = edge.get(SERVICES).bearer_auth("good").send().await.unwrap();
        let found: Value = answer.json().await.unwrap();
        let services = found["services"].as_array().unwrap();
        let silent: Vec<_> = services
            .iter()
            .filter(|one| one["answers"] == false)
            .collect();
        assert_eq!(silent.len(), 1);
        assert_eq!(
            (&silent[0]["version"], &silent[0]["outbox"]),
            (&Value::Null, &Value::Null)
        );

        edge.stub.fail_times(1, || {
            let reason = ErrorReason::PermissionDenied;
            Failure::refused(Code::PermissionDenied, reason, "no").into_status()
        });
        let refused = refusal(edge.get(SERVICES).bearer_auth("good")).await;
        assert_eq!((refused.0, refused.1.as_str()), (403, "PERMISSION_DENIED"));
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_services_that_are_silent() {
    edge(async |edge| {
        let silence = edge.stub.gate.lock().await;
        let asked = tokio::time::Instant::now();
        let refused = refusal(edge.get(SERVICES).bearer_auth("good")).await;
        assert_eq!((refused.0, refused.1.as_str()), (503, "UNAVAILABLE"));
        assert!(
            asked.elapsed() < Duration::from_secs(8),
            "as long as a handler may take"
        );
        drop(silence);
    })
    .await;
}
