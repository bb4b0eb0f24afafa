//! Secrets of holds and orders in cookies, one cookie per hold or order, so that they stay out of
//! address bars and Referers.

use http::{HeaderMap, HeaderValue, header};

use crate::config::PublicUrl;

/// What a cookie gives access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The secret of a hold.
    Hold,
    /// The secret of an order.
    Order,
    /// The proof that the order was placed in this browser.
    Purchase,
    /// The secret of a ticket that was handed on.
    Ticket,
    /// Which order was placed with a hold: the way on for a guest who goes back to the checkout.
    Placed,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Order => "order",
            Self::Purchase => "purchase",
            Self::Ticket => "ticket",
            Self::Placed => "placed",
        }
    }

    fn max_age_secs(self) -> u32 {
        match self {
            Self::Hold | Self::Placed => 2 * 60 * 60,
            Self::Order | Self::Purchase | Self::Ticket => 180 * 24 * 60 * 60,
        }
    }

    fn cookie_name(self, id: &str, https: bool) -> String {
        let prefix = if https { "__Host-" } else { "" };
        format!("{prefix}{}_{id}", self.word())
    }
}

/// The value of the cookie for `id`, if the browser sent one.
pub fn read(headers: &HeaderMap, public_url: &PublicUrl, kind: Kind, id: &str) -> Option<String> {
    named(headers, &kind.cookie_name(id, public_url.is_https()))
}

/// The value of the cookie with this name, if the browser sent one.
pub fn named(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

/// The `Set-Cookie` for `id`; none if the value could not stand in a cookie.
pub fn set(public_url: &PublicUrl, kind: Kind, id: &str, value: &str) -> Option<HeaderValue> {
    if !is_cookie_value(value) {
        return None;
    }
    let name = kind.cookie_name(id, public_url.is_https());
    let secure = if public_url.is_https() {
        "; Secure"
    } else {
        ""
    };
    let age = kind.max_age_secs();
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// Letters, digits and the marks of base64url and ids.
pub fn is_cookie_value(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(is_cookie_byte)
}

pub fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PublicUrl {
        text.parse().unwrap()
    }

    #[test]
    fn https_binds_the_cookie_to_the_host() {
        let cookie = set(&url("https://t.example.org"), Kind::Order, "1", "s3cret").unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-order_1=s3cret; Path=/; HttpOnly; SameSite=Lax"));
        assert!(cookie.ends_with("; Secure"));
        let plain = set(&url("http://127.0.0.1:1"), Kind::Order, "1", "s3cret").unwrap();
        assert!(plain.to_str().unwrap().starts_with("order_1=s3cret;"));
        assert!(!plain.to_str().unwrap().contains("Secure"));
        assert_eq!(
            set(&url("http://x.org"), Kind::Hold, "1", "a; Domain=evil.org"),
            None
        );
    }

    #[test]
    fn the_right_cookie_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            "a=b; order_12=no; order_1=yes".parse().unwrap(),
        );
        let public_url = url("http://127.0.0.1:1");
        assert_eq!(
            read(&headers, &public_url, Kind::Order, "1").as_deref(),
            Some("yes")
        );
        assert_eq!(read(&headers, &public_url, Kind::Hold, "1"), None);
    }
}
