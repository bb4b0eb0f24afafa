//! Accounts of admins, over REST.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    facts::{FIRST_PASSWORD, SOMEBODY},
    harness::{edge, problem, refusal},
};

#[tokio::test]
async fn a_session_is_refreshed_and_ended() {
    edge(async |edge| {
        let refresh = |token: &str| {
            let body = json!({"refresh_token": token});
            edge.request(Method::POST, "/api/v1/auth/refresh")
                .json(&body)
        };
        let renewed = refresh("again").send().await.unwrap();
        assert_eq!(renewed.status(), 200);
        let renewed: Value = renewed.json().await.unwrap();
        assert_eq!(
            (&renewed["access_token"], &renewed["token_type"]),
            (&json!("good"), &json!("Bearer"))
        );
        assert_eq!(renewed["refresh_token"], "last");
        assert_eq!(refusal(refresh("last")).await.1, "UNAUTHENTICATED");

        let logout = edge.request(Method::POST, "/api/v1/auth/logout");
        let logout = logout
            .json(&json!({"refresh_token": "last"}))
            .send()
            .await
            .unwrap();
        assert_eq!(logout.status(), 204);
        assert!(edge.stub.last_asked().contains("LogoutRequest"));
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_revoked() {
    edge(async |edge| {
        let list = edge
            .get(&format!("/api/v1/auth/sessions?user_id={SOMEBODY}"))
            .bearer_auth("good");
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        assert_eq!(list["sessions"][0]["current"], true);
        assert_eq!(list["sessions"][0]["network"], "203.0.113.1");
        assert!(edge.stub.last_asked().contains(SOMEBODY));
        let path = format!("/api/v1/auth/sessions/{SOMEBODY}");
        let revoke = edge
            .request(Method::DELETE, &path)
            .bearer_auth("good")
            .send()
            .await
            .unwrap();
        assert_eq!(revoke.status(), 204);
        let without = edge.request(Method::DELETE, &path);
        assert_eq!(refusal(without).await.1, "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn ways_in_need_no_token_and_say_from_where() {
    edge(async |edge| {
        for (path, body, status) in [
            (
                "/api/v1/auth/register",
                json!({"invitation": "i", "email": "g@example.org", "password": "p"}),
                201,
            ),
            (
                "/api/v1/auth/account-requests",
                json!({"email": "g@example.org"}),
                202,
            ),
            (
                "/api/v1/auth/password-resets",
                json!({"email": "g@example.org", "locale": "de"}),
                202,
            ),
            (
                "/api/v1/auth/password-resets/redeem",
                json!({"token": "t", "password": "p"}),
                204,
            ),
        ] {
            let answer = edge
                .request(Method::POST, path)
                .json(&body)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{path}");
            let asked = edge.stub.last_asked();
            assert!(asked.contains("network: \"127.0.0.1\""), "{asked}");
            let mut more = body.clone();
            more["role"] = json!("superadmin");
            let refused = refusal(edge.request(Method::POST, path).json(&more)).await;
            assert_eq!(refused.1, "INVALID_REQUEST", "{path}");
        }
        let body = json!({"current_password": "one", "new_password": "two"});
        let change = edge
            .request(Method::POST, "/api/v1/auth/password")
            .json(&body);
        assert_eq!(
            refusal(change.try_clone().unwrap()).await.1,
            "UNAUTHENTICATED"
        );
        assert_eq!(
            change.bearer_auth("good").send().await.unwrap().status(),
            204
        );
    })
    .await;
}

#[tokio::test]
async fn superadmins_manage_accounts() {
    edge(async |edge| {
        let users = edge
            .get("/api/v1/admin/users?page_size=1")
            .bearer_auth("good");
        let users: Value = users.send().await.unwrap().json().await.unwrap();
        assert_eq!(users["users"][0]["email"], "grace@example.org");
        assert_eq!(
            (
                &users["users"][0]["status"],
                &users["users"][0]["last_seen_at"]
            ),
            (&json!("disabled"), &Value::Null)
        );
        assert_eq!(users["next_page_token"], "next");

        let path = format!("/api/v1/admin/users/{SOMEBODY}");
        let patch = |body: Value| {
            edge.request(Method::PATCH, &path)
                .bearer_auth("good")
                .json(&body)
        };
        let changed = patch(json!({"role": "superadmin", "note": "asked for"}))
            .send()
            .await
            .unwrap();
        assert_eq!(changed.status(), 200);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("role: Superadmin") && asked.contains("status: Unspecified"),
            "{asked}"
        );
        for wrong in [
            json!({"role": "owner"}),
            json!({"status": {"disabled": null}}),
            json!({"email": "x"}),
        ] {
            assert_eq!(refusal(patch(wrong)).await.1, "INVALID_REQUEST");
        }
    })
    .await;
}

#[tokio::test]
async fn superadmins_make_accounts_at_once() {
    edge(async |edge| {
        let post = |body: Value| {
            let request = edge.request(Method::POST, "/api/v1/admin/users");
            request.bearer_auth("good").json(&body)
        };
        let new = json!({
            "email": "eve@example.org", "role": "superadmin", "password": FIRST_PASSWORD,
        });
        let made = post(new.clone()).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        // Shaped as those of the list.
        let users = edge.get("/api/v1/admin/users").bearer_auth("good");
        let users: Value = users.send().await.unwrap().json().await.unwrap();
        let mut as_listed = users["users"][0].clone();
        as_listed["email"] = json!("eve@example.org");
        as_listed["role"] = json!("superadmin");
        assert_eq!(made, as_listed);

        for (field, wrong) in [
            ("role", json!("owner")),
            ("password", json!(7)),
            ("status", json!("disabled")),
        ] {
            let mut body = new.clone();
            body[field] = wrong;
            let problem = problem(post(body)).await;
            assert_eq!(problem["reason"], "INVALID_REQUEST");
            assert_eq!(problem["errors"][0]["field"], field);
        }
        for field in ["email", "role", "password"] {
            let mut body = new.clone();
            body.as_object_mut().unwrap().remove(field);
            let problem = problem(post(body)).await;
            assert_eq!(problem["errors"][0]["field"], field);
        }
        edge.stub.fail(|| {
            let reason = kit::ErrorReason::AccountExists;
            kit::Failure::refused(kit::Code::FailedPrecondition, reason, "There is one.").into()
        });
        let (status, reason, _) = refusal(post(new.clone())).await;
        assert_eq!((status, reason.as_str()), (409, "ACCOUNT_EXISTS"));
        let without = edge.request(Method::POST, "/api/v1/admin/users").json(&new);
        assert_eq!(refusal(without).await.1, "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn superadmins_decide_who_comes() {
    edge(async |edge| {
        let list: Value = edge
            .get("/api/v1/admin/invitations")
            .bearer_auth("good")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(list["invitations"][0]["expires_at"], "2027-01-09T08:00:00Z");
        assert_eq!(list["requests"][0]["note"], "I run the club");
        let body = json!({"email": "grace@example.org", "role": "admin"});
        let invite = edge
            .request(Method::POST, "/api/v1/admin/invitations")
            .bearer_auth("good")
            .json(&body);
        assert_eq!(invite.send().await.unwrap().status(), 201);
        let path = format!("/api/v1/admin/invitations/{SOMEBODY}");
        let revoke = edge
            .request(Method::DELETE, &path)
            .bearer_auth("good")
            .send()
            .await
            .unwrap();
        assert_eq!(revoke.status(), 204);
        let path = format!("/api/v1/admin/account-requests/{SOMEBODY}/decide");
        let decide = edge.request(Method::POST, &path).bearer_auth("good");
        let decided = decide
            .json(&json!({"approve": true, "role": "admin"}))
            .send()
            .await
            .unwrap();
        assert_eq!(
            decided.json::<Value>().await.unwrap()["invitation"]["role"],
            "admin"
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_factor_is_added_asked_for_and_removed() {
    edge(async |edge| {
        let post = |path: &str, body: Value| {
            let request = edge.request(Method::POST, path).bearer_auth("good");
            request.json(&body)
        };
        let begun = post("/api/v1/auth/second-factor", json!({"password": "p"}));
        let begun: Value = begun.send().await.unwrap().json().await.unwrap();
        assert_eq!(begun["secret"], "JBSWY3DP");
        let confirm = post(
            "/api/v1/auth/second-factor/confirm",
            json!({"code": "287082"}),
        );
        let codes: Value = confirm.send().await.unwrap().json().await.unwrap();
        assert_eq!(codes["recovery_codes"][0], "abcd-efgh-ijkl-mnop");
        let remove = post(
            "/api/v1/auth/second-factor/remove",
            json!({"password": "p"}),
        );
        assert_eq!(remove.send().await.unwrap().status(), 204);
        let path = format!("/api/v1/admin/users/{SOMEBODY}/reset-second-factor");
        let reset = edge.request(Method::POST, &path).bearer_auth("good");
        assert_eq!(reset.send().await.unwrap().status(), 204);

        let body = json!({"email": "ada@example.org", "password": "p", "code": "287082"});
        let login = edge.request(Method::POST, "/api/v1/auth/login").json(&body);
        assert_eq!(login.send().await.unwrap().status(), 200);
        assert!(edge.stub.last_asked().contains("code: \"287082\""));
        edge.stub.fail(|| {
            let reason = kit::ErrorReason::SecondFactorRequired;
            kit::Failure::refused(kit::Code::Unauthenticated, reason, "A code, too.").into()
        });
        let body = json!({"email": "ada@example.org", "password": "p"});
        let login = edge.request(Method::POST, "/api/v1/auth/login").json(&body);
        let (status, reason, _) = refusal(login).await;
        assert_eq!((status, reason.as_str()), (401, "SECOND_FACTOR_REQUIRED"));
    })
    .await;
}

#[tokio::test]
async fn programs_have_keys() {
    edge(async |edge| {
        let path = "/api/v1/auth/api-keys";
        let body = json!({"name": "Till", "scopes": ["orders:read"], "days": 31, "password": "p"});
        let made = edge
            .request(Method::POST, path)
            .bearer_auth("good")
            .json(&body);
        let made = made.send().await.unwrap();
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        assert_eq!(
            (&made["secret"], &made["last_used_at"]),
            (&json!("boxkey_x"), &Value::Null)
        );
        let list: Value = edge
            .get(path)
            .bearer_auth("good")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(list["keys"][0]["scopes"], json!(["orders:read"]));
        assert_eq!(list["keys"][0].get("secret"), None);
        let revoke = edge
            .request(Method::DELETE, &format!("{path}/{SOMEBODY}"))
            .bearer_auth("good");
        assert_eq!(revoke.send().await.unwrap().status(), 204);
        let exchange = edge.request(Method::POST, "/api/v1/auth/token");
        let token = exchange
            .json(&json!({"api_key": "boxkey_x"}))
            .send()
            .await
            .unwrap();
        let token: Value = token.json().await.unwrap();
        assert_eq!(
            (&token["token_type"], &token["scope"]),
            (&json!("Bearer"), &json!("orders:read"))
        );
    })
    .await;
}
