//! Who reads a page: the language that a guest chose, or the one that their browser asks for.
//!
//! `?lang=de` of any page chooses, and a cookie remembers it, so a link may name a language and no
//! script is needed. Mails about what is ordered come in the language of the page.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use base::Language;
use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{app::Shared, config::PublicUrl, cookies};

const PARAMETER: &str = "lang";
const COOKIE: &str = "language";
const COOKIE_MAX_AGE_SECS: u32 = 365 * 24 * 60 * 60;
const DEFAULT: &str = "en";
/// The longest tag that BCP 47 recommends room for.
const TAG_MAX_CHARS: usize = 35;
/// Of a list of languages; nobody reads more.
const ASKED_MAX: usize = 10;

pub struct Reader {
    /// Of the page.
    pub language: Language,
    /// A BCP 47 tag, for what comes by mail. What services make of one they do not know is their matter.
    pub locale: String,
}

impl Reader {
    pub fn of(public_url: &PublicUrl, query: Option<&str>, headers: &HeaderMap) -> Self {
        let chosen = chosen(query).or_else(|| remembered(public_url, headers));
        if let Some(language) = chosen {
            let locale = language.tag().to_owned();
            return Self { language, locale };
        }
        let asked = asked(headers);
        let known = asked.iter().find_map(|tag| Some((known(tag)?, *tag)));
        let (language, locale) = match known {
            Some(found) => found,
            None => (Language::En, asked.first().copied().unwrap_or(DEFAULT)),
        };
        let locale = locale.to_owned();
        Self { language, locale }
    }
}

impl FromRequestParts<Shared> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        Ok(Self::of(&app.public_url, parts.uri.query(), &parts.headers))
    }
}

/// By the query of this very request.
fn chosen(query: Option<&str>) -> Option<Language> {
    let pairs = url::form_urlencoded::parse(query?.as_bytes());
    let tags = pairs.filter(|(name, _)| name == PARAMETER);
    tags.last().and_then(|(_, tag)| Language::from_tag(&tag))
}

fn remembered(public_url: &PublicUrl, headers: &HeaderMap) -> Option<Language> {
    Language::from_tag(&cookies::named(headers, cookie_name(public_url))?)
}

fn cookie_name(public_url: &PublicUrl) -> &'static str {
    if public_url.is_https() {
        "__Host-language"
    } else {
        COOKIE
    }
}

/// What the browser asks for, what it wants most first.
fn asked(headers: &HeaderMap) -> Vec<&str> {
    let asked = headers.get(header::ACCEPT_LANGUAGE);
    let list = asked.and_then(|value| value.to_str().ok());
    let parts = list.unwrap_or_default().split(',').take(ASKED_MAX);
    let mut wanted: Vec<(f32, &str)> = parts
        .filter_map(|part| {
            let (tag, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().strip_prefix("q=")?.trim().parse().ok()?;
            Some((weight, tag.trim()))
        })
        .filter(|(weight, tag)| *weight > 0.0 && is_tag(tag))
        .collect();
    // Stable: of two that are wanted alike the first counts.
    wanted.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    wanted.into_iter().map(|(_, tag)| tag).collect()
}

/// The language of a tag such as `de-AT`, if the pages have it.
fn known(tag: &str) -> Option<Language> {
    let first = tag.split('-').next().unwrap_or_default();
    Language::from_tag(&first.to_ascii_lowercase())
}

fn is_tag(text: &str) -> bool {
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    text.len() <= TAG_MAX_CHARS && text.split('-').all(part)
}

/// Remembers what was chosen, and tells caches that pages differ.
pub async fn remember(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let chosen = chosen(request.uri().query());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        let vary = HeaderValue::from_static("accept-language, cookie");
        headers.append(header::VARY, vary);
    }
    if let Some(cookie) = chosen.and_then(|language| cookie(&app.public_url, language)) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

fn cookie(public_url: &PublicUrl, language: Language) -> Option<HeaderValue> {
    let (name, tag) = (cookie_name(public_url), language.tag());
    let secure = if public_url.is_https() {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{name}={tag}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_MAX_AGE_SECS}{secure}"
    );
    HeaderValue::from_str(&cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(query: Option<&str>, cookie: &str, asked: &str) -> (Language, String) {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, asked.parse().unwrap());
        let reader = Reader::of(&url, query, &headers);
        (reader.language, reader.locale)
    }

    #[test]
    fn the_first_one_that_pages_have_counts() {
        for (asked, language, locale) in [
            ("de-AT,de;q=0.9,en;q=0.8", Language::De, "de-AT"),
            ("fr", Language::Fr, "fr"),
            ("en;q=0.5, FR-ca;q=0.7", Language::Fr, "FR-ca"),
            ("pl, de;q=0.8", Language::De, "de"),
            ("pl, cs;q=0.8", Language::En, "pl"),
            ("de;q=0, fr;q=0.1", Language::Fr, "fr"),
            ("de;q=x", Language::En, "en"),
            ("*", Language::En, "en"),
            ("", Language::En, "en"),
            ("nonsense tag", Language::En, "en"),
            ("x--y", Language::En, "en"),
        ] {
            let expected = (language, locale.to_owned());
            assert_eq!(reader(None, "", asked), expected, "{asked}");
        }
    }

    #[test]
    fn what_was_chosen_stands_above_what_the_browser_asks_for() {
        let german = (Language::De, "de".to_owned());
        assert_eq!(reader(Some("q=x&lang=de"), "language=fr", "en"), german);
        assert_eq!(reader(Some("lang=xx"), "a=b; language=de", "fr-FR"), german);
        assert_eq!(reader(Some("lang=DE"), "language=pl", "de"), german);
    }
}
