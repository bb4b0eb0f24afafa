//! Forms and scripts of other sites change nothing here, whatever cookies the browser adds. The rule is
//! that of Go's `net/http.CrossOriginProtection` (1.25): what the browser says in `Sec-Fetch-Site` counts;
//! where it says nothing (older ones, and pages without https), `Origin` has to be ours; and who sends
//! neither is no browser.

use axum::extract::Request;
use http::{HeaderMap, HeaderName, Method, header};
use kit::{Code, ErrorReason, Failure};

use crate::{app::App, cors::Sharing, observe::route_of, problem::Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What is proven by a signature or by the path, and comes from elsewhere by its nature.
const FROM_ELSEWHERE: [&str; 2] = ["/api/v1/webhooks/", "/u/{id}/"];

/// Fails for a request that changes something and that a page of another site has sent.
pub fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let route = route_of(request);
    if safe || FROM_ELSEWHERE.iter().any(|start| route.starts_with(start)) {
        return Ok(());
    }
    let headers = request.headers();
    // Another site's script may call where no cookie of ours counts.
    let shared = matches!(app.cors.of(request), Sharing::With(_));
    if shared || comes_from_here(app, headers) {
        return Ok(());
    }
    Err(refusal("This was sent by a page of another site."))
}

fn comes_from_here(app: &App, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    // A proxy may call us by another name than guests do, and one machine has two names.
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let same_host = origin.split_once("://").map(|(_, host)| host) == host && host.is_some();
    origin == app.public_url.origin() || same_host
}

pub fn refusal(detail: &str) -> Problem {
    Failure::refused(
        Code::PermissionDenied,
        ErrorReason::CrossSiteRequest,
        detail,
    )
    .into()
}
