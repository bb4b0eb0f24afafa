//! What keeps somebody signed in: refresh tokens of programs, cookies of the dashboard.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    accounts::Account,
    visitor::{Visitor, cookies},
};

const REFRESH: &str = "/api/v1/auth/refresh";
const LOGOUT: &str = "/api/v1/auth/logout";
const SESSION: &str = "/api/v1/auth/session";
const SESSION_REFRESH: &str = "/api/v1/auth/session/refresh";

/// Each token once, and then one of them again.
pub async fn is_refreshed(visitor: &Visitor<'_>, account: &Account) {
    let first = token(&account.signs_in(visitor).await);
    visitor
        .mangles(REFRESH, None, &json!({"refresh_token": first}))
        .await;
    visitor
        .mangles(LOGOUT, None, &json!({"refresh_token": first}))
        .await;
    let second = refresh(visitor, &first).await.expect("a second one");
    // Its answer may have been lost.
    assert_eq!(refresh(visitor, &first).await.as_ref(), Some(&second));
    let third = refresh(visitor, &second).await.expect("a third one");
    // Whoever comes with the first one now has copied it, and the session is over.
    for token in [&first, &third, &visitor.secret("a wrong refresh token")] {
        assert_eq!(refresh(visitor, token).await, None);
    }
    visitor.misplaces(&third).await;
    let signed_in = account.signs_in(visitor).await;
    let out = json!({"refresh_token": token(&signed_in)});
    let left = visitor.post(LOGOUT, None, &out).await;
    visitor.must(204, left).await;
    assert_eq!(refresh(visitor, &token(&signed_in)).await, None);
    visitor
        .misplaces(signed_in["access_token"].as_str().unwrap())
        .await;
}

fn token(signed_in: &Value) -> String {
    signed_in["refresh_token"].as_str().unwrap().to_owned()
}

async fn refresh(visitor: &Visitor<'_>, token: &str) -> Option<String> {
    let body = json!({"refresh_token": token});
    let (status, answer) = visitor.post(REFRESH, None, &body).await;
    assert!(status == 200 || status == 401, "{answer}");
    answer["refresh_token"].as_str().map(str::to_owned)
}

/// What a browser has of the dashboard.
struct Dashboard<'v, 'o> {
    visitor: &'v Visitor<'o>,
    cookies: String,
    csrf_token: String,
}

impl<'v, 'o> Dashboard<'v, 'o> {
    /// By a request that opens or renews the session.
    async fn by(visitor: &'v Visitor<'o>, request: RequestBuilder) -> Self {
        let request = request.header("origin", &visitor.office.http);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        visitor.remember_head(&answer);
        let set = cookies(&answer).into_iter();
        let set: Vec<String> = set.map(|(name, value)| format!("{name}={value}")).collect();
        let body: Value = answer.json().await.unwrap();
        visitor.remember("", &body);
        Self {
            visitor,
            cookies: set.join("; "),
            csrf_token: body["csrf_token"].as_str().unwrap().to_owned(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.visitor.request(method, path);
        request.header("cookie", &self.cookies)
    }

    async fn status(&self, request: RequestBuilder) -> u16 {
        let (status, _) = self.visitor.send(request, None).await;
        status.as_u16()
    }
}

pub async fn is_at_the_dashboard(visitor: &Visitor<'_>, account: &Account) {
    let login = json!({"email": account.email, "password": account.password});
    visitor.mangles(SESSION, None, &login).await;
    let wrong = json!({"email": account.email, "password": visitor.secret("a wrong password")});
    let (status, _) = visitor.post(SESSION, None, &wrong).await;
    assert_eq!(status, 401);
    let open = visitor.request(Method::POST, SESSION).json(&login);
    let old = Dashboard::by(visitor, open).await;
    assert_eq!(old.status(old.request(Method::GET, SESSION)).await, 200);

    // Without the page's token, with one that is wrong, and from another site.
    let guessed = visitor.secret("a wrong token of a page");
    let ending = old.request(Method::DELETE, SESSION);
    assert_eq!(old.status(ending).await, 403);
    let ending = old
        .request(Method::DELETE, SESSION)
        .header("x-csrf-token", &guessed);
    assert_eq!(old.status(ending).await, 403);
    let ending = old
        .request(Method::DELETE, SESSION)
        .header("x-csrf-token", &old.csrf_token);
    let elsewhere = ending.header("origin", format!("https://{guessed}.example.org"));
    assert_eq!(old.status(elsewhere).await, 403);

    let new = Dashboard::by(visitor, old.request(Method::POST, SESSION_REFRESH)).await;
    let newer = Dashboard::by(visitor, new.request(Method::POST, SESSION_REFRESH)).await;
    visitor.misplaces(&newer.csrf_token).await;
    let key =
        json!({"name": "Till", "scopes": ["orders:read"], "days": 1, "password": account.password});
    let making = newer.request(Method::POST, "/api/v1/auth/api-keys");
    let making = making.header("x-csrf-token", &newer.csrf_token).json(&key);
    assert_eq!(newer.status(making).await, 201);
    // What was copied ends the session for both.
    assert_eq!(
        old.status(old.request(Method::POST, SESSION_REFRESH)).await,
        401
    );
    assert_eq!(
        newer
            .status(newer.request(Method::POST, SESSION_REFRESH))
            .await,
        401
    );
    let ending = newer.request(Method::DELETE, SESSION);
    let ending = ending.header("x-csrf-token", &newer.csrf_token);
    assert_eq!(newer.status(ending).await, 204);
}
