//! Keys with which programs act for an account.

use reqwest::Method;
use serde_json::json;
use testkit::eventually;

use crate::{accounts::Account, office::PATIENCE, visitor::Visitor};

const KEYS: &str = "/api/v1/auth/api-keys";
const TOKEN: &str = "/api/v1/auth/token";

/// One is made, used beyond what it is for, and taken back.
pub async fn have_a_key(visitor: &Visitor<'_>, account: &Account) {
    let token = account.token(visitor).await;
    let bearer = Some(token.as_str());
    let new = |password: &str| json!({"name": "Till at the door", "scopes": ["orders:read"], "days": 7, "password": password});
    visitor.mangles(KEYS, bearer, &new(&account.password)).await;
    let wrong = visitor.secret("a wrong password");
    let (status, _) = visitor.post(KEYS, bearer, &new(&wrong)).await;
    assert_eq!(status, 401);
    let made = visitor.post(KEYS, bearer, &new(&account.password)).await;
    let made = visitor.must(201, made).await;
    let secret = made["secret"].as_str().unwrap();

    let key = json!({"api_key": secret});
    visitor.mangles(TOKEN, None, &key).await;
    let guessed = format!("boxkey_{}", visitor.secret("a wrong key"));
    for wrong in [guessed, format!("{secret}\u{0}"), secret.to_uppercase()] {
        let (status, answer) = visitor.post(TOKEN, None, &json!({"api_key": wrong})).await;
        assert!(status.is_client_error(), "{answer}");
    }
    visitor.note("a key in capitals", &secret.to_uppercase());
    let exchanged = visitor.post(TOKEN, None, &key).await;
    let exchanged = visitor.must(200, exchanged).await;
    let program = exchanged["access_token"].as_str();
    let (status, _) = visitor.get("/api/v1/admin/orders", program).await;
    assert_eq!(status, 200);
    let (status, _) = visitor.post(KEYS, program, &new(&account.password)).await;
    assert!(status.is_client_error());
    visitor.misplaces(secret).await;

    let listed = visitor.get(KEYS, bearer).await;
    visitor.must(200, listed).await;
    let path = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    let taken_back = visitor
        .send(visitor.request(Method::DELETE, &path), bearer)
        .await;
    visitor.must(204, taken_back).await;
    let (status, _) = visitor.post(TOKEN, None, &key).await;
    assert_eq!(status, 401);
    eventually("its token to be worth nothing", PATIENCE, async || {
        let (status, _) = visitor.get("/api/v1/admin/orders", program).await;
        (status == 401).then_some(())
    })
    .await;
}
