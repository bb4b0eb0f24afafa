//! The dashboard's session: what `login` answers to programs, kept in two cookies that no script can
//! read. A token of the page comes along with whatever it changes, so that a page of another site
//! changes nothing, even where a browser would send the cookies.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{app::App, config::PublicUrl, cookies, cross_site, problem::Problem};

/// Brings the page's token back with whatever changes something.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// The access token, for as long as it is good.
const ACCESS: &str = "access";
/// A seed of the page's token, which stays, and the refresh token, which changes.
const SESSION: &str = "session";
/// As long as user-svc keeps a session at most.
const SESSION_MAX_AGE_SECS: u32 = 12 * 60 * 60;
const VALUE_MAX_BYTES: usize = 4096;
const CSRF_PURPOSE: &[u8] = b"boxoffice csrf token";

/// What stands in the session's cookie.
pub struct Session {
    seed: String,
    pub refresh_token: String,
}

impl Session {
    /// A new one; the seed is random.
    pub fn new(seed: String, refresh_token: String) -> Self {
        Self {
            seed,
            refresh_token,
        }
    }

    /// The session that the browser has, if any.
    pub fn read(headers: &HeaderMap, public_url: &PublicUrl) -> Option<Self> {
        let value = cookies::named(headers, &name(public_url, SESSION))?;
        let (seed, refresh_token) = value.split_once('.')?;
        Some(Self::new(seed.to_owned(), refresh_token.to_owned()))
    }

    /// The same session with its next refresh token.
    pub fn renewed(self, refresh_token: String) -> Self {
        Self::new(self.seed, refresh_token)
    }

    /// What the page sends in `X-CSRF-Token`. It says nothing of the seed, and without the seed nobody
    /// can make it.
    pub fn csrf_token(&self) -> String {
        let parts = [CSRF_PURPOSE, self.seed.as_bytes()];
        base::hex(&base::body_hash(&parts))
    }

    /// Fails unless the page's token came along.
    pub fn check_csrf(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let sent = headers.get(CSRF_HEADER).map(HeaderValue::as_bytes);
        // Digests are compared, so the time it takes tells nothing of the token.
        let expected = base::digest(self.csrf_token().as_bytes());
        if sent.is_some_and(|sent| base::digest(sent) == expected) {
            return Ok(());
        }
        let detail = "This needs the X-CSRF-Token that GET /api/v1/auth/session tells.";
        Err(cross_site::refusal(detail))
    }

    /// Both cookies.
    pub fn cookies(
        &self,
        public_url: &PublicUrl,
        access_token: &str,
        access_secs: u32,
    ) -> Option<[HeaderValue; 2]> {
        let session = format!("{}.{}", self.seed, self.refresh_token);
        let cookie = |name, value, age| cookie(public_url, name, value, age);
        Some([
            cookie(ACCESS, access_token, access_secs)?,
            cookie(SESSION, &session, SESSION_MAX_AGE_SECS)?,
        ])
    }
}

/// What takes both cookies away.
pub fn no_cookies(public_url: &PublicUrl) -> Option<[HeaderValue; 2]> {
    Some([
        cookie(public_url, ACCESS, "-", 0)?,
        cookie(public_url, SESSION, "-", 0)?,
    ])
}

/// The access token of a request of the dashboard. What changes something needs the page's token, too.
pub fn access_token(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<String>, Problem> {
    let Some(token) = cookies::named(headers, &name(&app.public_url, ACCESS)) else {
        return Ok(None);
    };
    let Some(session) = Session::read(headers, &app.public_url) else {
        return Ok(None);
    };
    if *method != Method::GET && *method != Method::HEAD {
        session.check_csrf(headers)?;
    }
    Ok(Some(token))
}

fn name(public_url: &PublicUrl, word: &str) -> String {
    let prefix = if public_url.is_https() { "__Host-" } else { "" };
    format!("{prefix}{word}")
}

/// None if the value could not stand in a cookie.
fn cookie(public_url: &PublicUrl, word: &str, value: &str, age: u32) -> Option<HeaderValue> {
    if value.len() > VALUE_MAX_BYTES || !value.bytes().all(cookies::is_cookie_byte) {
        return None;
    }
    let name = name(public_url, word);
    let secure = if public_url.is_https() {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    HeaderValue::from_str(&cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("seed".to_owned(), "refresh".to_owned())
    }

    #[test]
    fn https_binds_the_cookies_to_the_host() {
        let url: PublicUrl = "https://t.example.org".parse().unwrap();
        let cookies = session().cookies(&url, "a.b.c", 600).unwrap();
        let expected = [
            "__Host-access=a.b.c; Path=/; HttpOnly; SameSite=Strict; Max-Age=600; Secure",
            "__Host-session=seed.refresh; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure",
        ];
        assert_eq!(cookies, expected);
        let url: PublicUrl = "http://127.0.0.1:1".parse().unwrap();
        let [access, _] = session().cookies(&url, "a.b.c", 600).unwrap();
        assert_eq!(
            access,
            "access=a.b.c; Path=/; HttpOnly; SameSite=Strict; Max-Age=600"
        );
        assert!(session().cookies(&url, "a; Domain=evil.org", 600).is_none());
    }

    #[test]
    fn the_page_s_token_outlives_a_refresh_and_belongs_to_one_session() {
        let token = session().csrf_token();
        assert_eq!(session().renewed("next".to_owned()).csrf_token(), token);
        let other = Session::new("other".to_owned(), "refresh".to_owned());
        assert_ne!(other.csrf_token(), token);
        assert!(!token.contains("seed"));

        let sends = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CSRF_HEADER, token.parse().unwrap());
            session().check_csrf(&headers).is_ok()
        };
        assert!(sends(&token));
        assert!(!sends(&other.csrf_token()));
        assert!(!sends(""));
        assert!(session().check_csrf(&HeaderMap::new()).is_err());
    }
}
