//! What every answer tells browsers not to do with it.

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

use crate::config::PublicUrl;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
pub const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Two years, as the preload lists ask for.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000");
/// An answer of the API that is opened like a page does nothing.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Tickets are scanned by pages of ours and by nobody else's; the rest nobody needs.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "camera=(self), browsing-topics=(), geolocation=(), microphone=(), payment=(), usb=()",
);
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
pub const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// The headers that differ by where the gateway is found.
pub struct Guard {
    /// What pages may load and where their forms may lead.
    page_policy: HeaderValue,
    https: bool,
}

impl Guard {
    pub fn new(public_url: &PublicUrl) -> anyhow::Result<Self> {
        // `form-action` also holds for where a form's answer leads on to; under another name of the
        // same machine that is our public address.
        let page_policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self' {}",
            public_url.origin()
        );
        Ok(Self {
            page_policy: HeaderValue::from_str(&page_policy)?,
            https: public_url.is_https(),
        })
    }

    /// What a handler has set stays.
    pub fn mark(&self, response: &mut Response) {
        let headers = response.headers_mut();
        let kind = headers.get(header::CONTENT_TYPE);
        let is = |start: &[u8]| kind.is_some_and(|kind| kind.as_bytes().starts_with(start));
        // Browsers show a PDF by a page of their own, which has to load its parts.
        let (html, pdf) = (is(b"text/html"), is(b"application/pdf"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        let referrer = if html { "same-origin" } else { "no-referrer" };
        headers
            .entry(header::REFERRER_POLICY)
            .or_insert(HeaderValue::from_static(referrer));
        if !pdf {
            let policy = || {
                if html {
                    self.page_policy.clone()
                } else {
                    NO_PAGE
                }
            };
            headers
                .entry(header::CONTENT_SECURITY_POLICY)
                .or_insert_with(policy);
        }
        headers.entry(RESOURCE_POLICY).or_insert(SAME_ORIGIN);
        if self.https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
        if html {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
            headers.insert(OPENER_POLICY, SAME_ORIGIN);
            headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
        }
    }
}
