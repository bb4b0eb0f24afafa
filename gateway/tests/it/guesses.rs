//! Guessing links: nothing is found, one answer for absent and foreign, and only so many tries.

use crate::{
    facts::{HOLD, HOLD_SECRET, ORDER, ORDER_SECRET},
    harness::{Edge, edge_with, problem},
};

const ABSENT: &str = "0190b6a2-7c1e-7000-8000-0000000000ff";

async fn status(edge: &Edge, path: &str, secret: &str) -> u16 {
    let request = edge.get(path).bearer_auth(secret);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn absent_and_foreign_are_one_answer() {
    edge_with(
        |_| {},
        async |edge| {
            let of = async |id: &str, secret: &str| {
                let request = edge
                    .get(&format!("/api/v1/orders/{id}"))
                    .bearer_auth(secret);
                let mut problem = problem(request).await;
                problem["trace_id"].take();
                problem
            };
            let foreign = of(ORDER, "foreign").await;
            assert_eq!(foreign["reason"], "NOT_FOUND");
            assert_eq!(foreign, of(ABSENT, "foreign").await);
        },
    )
    .await;
}

#[tokio::test]
async fn who_tries_many_links_waits() {
    edge_with(
        |config| config.guesses_per_network_max = 6,
        async |edge| {
            let tried = [
                format!("/api/v1/orders/{ORDER}"),
                format!("/api/v1/orders/{ORDER}/mark"),
                format!("/o/{ORDER}/nonsense"),
                format!("/t/{ABSENT}/nonsense"),
                format!("/h/{HOLD}/nonsense"),
                format!("/api/v1/holds/{HOLD}"),
            ];
            for path in &tried {
                assert_eq!(status(edge, path, "guess").await, 404, "{path}");
            }
            for path in &tried {
                assert_eq!(status(edge, path, "guess").await, 429, "{path}");
            }
            // A right one is opened: others may share the network.
            let right = status(edge, &tried[0], ORDER_SECRET).await;
            assert_eq!(right, 200);
            // What no secret opens goes on.
            let programme = edge.get("/").send().await.unwrap();
            assert_eq!(programme.status(), 200);
        },
    )
    .await;
}

#[tokio::test]
async fn right_links_are_not_counted_and_networks_are_apart() {
    let change = |config: &mut gateway::Config| {
        config.guesses_per_network_max = 3;
        config.trusted_proxies = "127.0.0.0/8".parse().unwrap();
    };
    edge_with(change, async |edge| {
        let from = async |address: &str, secret: &str| {
            let request = edge.get(&format!("/api/v1/holds/{HOLD}"));
            let request = request.header("x-forwarded-for", address);
            let response = request.bearer_auth(secret).send().await.unwrap();
            response.status().as_u16()
        };
        for _ in 0..10 {
            assert_eq!(from("203.0.113.1", HOLD_SECRET).await, 200);
        }
        for _ in 0..3 {
            assert_eq!(from("203.0.113.1", "guess").await, 404);
        }
        assert_eq!(from("203.0.113.1", "guess").await, 429);
        // What a client claims for itself stands left of what the proxy saw.
        assert_eq!(from("198.51.100.1, 203.0.113.1", "guess").await, 429);
        assert_eq!(from("198.51.100.1", HOLD_SECRET).await, 200);
    })
    .await;
}
