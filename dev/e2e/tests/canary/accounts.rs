//! How people get an account, and back into it: invitations, wishes, links of mails, other passwords.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;

use crate::{admin::Admin, office::PATIENCE, visitor::Visitor};

const INVITATIONS: &str = "/api/v1/admin/invitations";
const REGISTER: &str = "/api/v1/auth/register";
const WISHES: &str = "/api/v1/auth/account-requests";
const RESETS: &str = "/api/v1/auth/password-resets";
const USERS: &str = "/api/v1/admin/users";
const REDEEM: &str = "/api/v1/auth/password-resets/redeem";
pub const LOGIN: &str = "/api/v1/auth/login";

pub struct Account {
    pub email: String,
    pub password: String,
}

impl Account {
    pub async fn tries(&self, visitor: &Visitor<'_>, code: Option<&str>) -> (StatusCode, Value) {
        let login = json!({"email": self.email, "password": self.password, "code": code});
        visitor.post(LOGIN, None, &login).await
    }

    /// The answer with the tokens. Wrong passwords before may have cost a moment.
    pub async fn signs_in(&self, visitor: &Visitor<'_>) -> Value {
        eventually("somebody to be signed in", PATIENCE, async || {
            let (status, answer) = self.tries(visitor, None).await;
            (status == 200).then_some(answer)
        })
        .await
    }

    pub async fn token(&self, visitor: &Visitor<'_>) -> String {
        let signed_in = self.signs_in(visitor).await;
        signed_in["access_token"].as_str().unwrap().to_owned()
    }
}

/// The account of somebody who was invited, by way of every mistake that an invitation allows.
pub async fn is_invited(visitor: &Visitor<'_>, admin: &Admin) -> Account {
    let email = visitor.address("colleague");
    let invitation = invites(visitor, admin, &email).await;
    let account = Account {
        email,
        password: visitor.secret("a colleague's password"),
    };
    let good = json!({
        "invitation": invitation, "email": account.email, "password": account.password,
    });
    visitor.mangles(REGISTER, None, &good).await;
    let with = |field: &str, value: String| {
        let mut body = good.clone();
        body[field] = json!(value);
        body
    };
    let (short, guessed) = (
        visitor.secret("a short one"),
        visitor.secret("a wrong link"),
    );
    for body in [
        with("invitation", guessed.clone()),
        with("invitation", format!("{guessed}\u{0}")),
        with("email", visitor.address("somebody-else")),
        with("email", format!("{} at work", account.email)),
        with("email", format!("{}\u{0}", account.email)),
        with("password", short[..14].to_owned()),
        with("password", short.repeat(9)),
        with("password", account.email.clone()),
    ] {
        let (status, answer) = visitor.post(REGISTER, None, &body).await;
        assert!(status.is_client_error(), "{body}: {answer}");
    }
    visitor.note("a password that is too short", &short[..14]);
    // Of two at once one meets the address of the other.
    let both = tokio::join!(
        visitor.post(REGISTER, None, &good),
        visitor.post(REGISTER, None, &good)
    );
    let made = [both.0, both.1]
        .into_iter()
        .filter(|(status, _)| *status == 201);
    assert_eq!(made.count(), 1);
    let (status, _) = visitor.post(REGISTER, None, &good).await;
    assert!(status.is_client_error());
    let again = json!({"email": account.email, "role": "admin"});
    let (status, _) = visitor.post(INVITATIONS, Some(&admin.token), &again).await;
    assert_eq!(status, 409);
    visitor.misplaces(&invitation).await;
    account
}

/// The token of the invitation that an address got by mail.
pub async fn invites(visitor: &Visitor<'_>, admin: &Admin, email: &str) -> String {
    let wish = json!({"email": email, "role": "admin", "locale": "en"});
    let bearer = Some(admin.token.as_str());
    visitor.mangles(INVITATIONS, bearer, &wish).await;
    let invited = visitor.post(INVITATIONS, bearer, &wish).await;
    visitor.must(201, invited).await;
    let listed = visitor.get(INVITATIONS, bearer).await;
    visitor.must(200, listed).await;
    link(visitor, email, "/admin/invitation#").await
}

/// What the first mail to an address ends its link with.
async fn link(visitor: &Visitor<'_>, email: &str, path: &str) -> String {
    let mail = visitor.mail_to(email, 1).await;
    let token = visitor.link_in(&mail, path).to_owned();
    visitor.note("the link of a mail", &token);
    token
}

/// An account at once, with a password that somebody else chose.
pub async fn is_made(visitor: &Visitor<'_>, admin: &Admin) {
    let account = Account {
        email: visitor.address("made"),
        password: visitor.secret("a password that was given"),
    };
    let bearer = Some(admin.token.as_str());
    let new =
        |password: &str| json!({"email": account.email, "role": "admin", "password": password});
    visitor
        .mangles(USERS, bearer, &new(&account.password))
        .await;
    for wrong in [&account.email, &account.password.repeat(9)] {
        let (status, answer) = visitor.post(USERS, bearer, &new(wrong)).await;
        assert!(status.is_client_error(), "{answer}");
    }
    for expected in [201, 409] {
        let answer = visitor.post(USERS, bearer, &new(&account.password)).await;
        visitor.must(expected, answer).await;
    }
    account.token(visitor).await;
}

/// Somebody asks for an account and is approved, and somebody else is not.
pub async fn asks_for_one(visitor: &Visitor<'_>, admin: &Admin) {
    let (email, other) = (visitor.address("applicant"), visitor.address("refused"));
    for email in [&email, &other] {
        let note = format!("It is me, {}.", visitor.secret("an applicant's words"));
        let wish = json!({"email": email, "note": note, "locale": "en"});
        visitor.mangles(WISHES, None, &wish).await;
        let asked = visitor.post(WISHES, None, &wish).await;
        visitor.must(202, asked).await;
    }
    let bearer = Some(admin.token.as_str());
    let listed = visitor.get(INVITATIONS, bearer).await;
    let listed = visitor.must(200, listed).await;
    for wish in listed["requests"].as_array().unwrap() {
        let id = wish["id"].as_str().unwrap();
        let path = format!("/api/v1/admin/account-requests/{id}/decide");
        let decision = json!({"approve": wish["email"] == email, "role": "admin"});
        visitor.mangles(&path, bearer, &decision).await;
        let decided = visitor.post(&path, bearer, &decision).await;
        visitor.must(200, decided).await;
    }
    let invitation = link(visitor, &email, "/admin/invitation#").await;
    let password = visitor.secret("an applicant's password");
    let new = json!({"invitation": invitation, "email": email, "password": password});
    let made = visitor.post(REGISTER, None, &new).await;
    visitor.must(201, made).await;
    let (status, _) = visitor.post(REGISTER, None, &new).await;
    assert!(status.is_client_error());
}

/// The same account with another password, by the link of a mail and then by hand.
pub async fn forgets_the_password(visitor: &Visitor<'_>, account: Account) -> Account {
    let ask = json!({"email": account.email, "locale": "en"});
    visitor.mangles(RESETS, None, &ask).await;
    let nobody = json!({"email": visitor.address("nobody")});
    for ask in [&ask, &nobody] {
        let asked = visitor.post(RESETS, None, ask).await;
        visitor.must(202, asked).await;
    }
    let mail = visitor.mail_to(&account.email, 2).await;
    let token = visitor.link_in(&mail, "/admin/password-reset#").to_owned();
    visitor.note("the link of a reset", &token);
    let next = Account {
        email: account.email.clone(),
        password: visitor.secret("a password by mail"),
    };
    let good = json!({"token": token, "password": next.password});
    visitor.mangles(REDEEM, None, &good).await;
    let (guessed, long) = (visitor.secret("a wrong link"), next.password.repeat(9));
    for body in [
        json!({"token": guessed, "password": next.password}),
        json!({"token": format!("{token}\u{0}"), "password": next.password}),
        json!({"token": token, "password": long}),
        json!({"token": token, "password": next.email}),
    ] {
        let (status, answer) = visitor.post(REDEEM, None, &body).await;
        assert!(status.is_client_error(), "{body}: {answer}");
    }
    let chosen = visitor.post(REDEEM, None, &good).await;
    visitor.must(204, chosen).await;
    let (status, _) = visitor.post(REDEEM, None, &good).await;
    assert!(status.is_client_error());
    let (status, _) = account.tries(visitor, None).await;
    assert_eq!(status, 401);
    visitor.misplaces(&token).await;
    changes_it(visitor, next).await
}

async fn changes_it(visitor: &Visitor<'_>, account: Account) -> Account {
    let token = account.token(visitor).await;
    let next = visitor.secret("a password by hand");
    let change = |current: &str| json!({"current_password": current, "new_password": next});
    let (path, bearer) = ("/api/v1/auth/password", Some(token.as_str()));
    visitor
        .mangles(path, bearer, &change(&account.password))
        .await;
    let wrong = visitor.secret("a wrong password");
    let (status, _) = visitor.post(path, bearer, &change(&wrong)).await;
    assert_eq!(status, 401);
    let changed = visitor.post(path, bearer, &change(&account.password)).await;
    visitor.must(204, changed).await;
    let request = visitor.request(Method::GET, "/api/v1/auth/sessions");
    let listed = visitor.send(request, bearer).await;
    visitor.must(200, listed).await;
    Account {
        email: account.email,
        password: next,
    }
}
