//! On one machine `localhost` and `127.0.0.1` are the same place, but not to cookies: a purchase
//! that begins on one and comes back from the payment on the other would have lost its order.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, header};

use super::page::see_other;
use crate::{app::Shared, config::PublicUrl, problem::Problem};

/// Leads a page that is read under the other name to `PUBLIC_URL`.
pub async fn one_host(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if request.method() == Method::GET && host.is_some() && host == twin(&app.public_url).as_deref()
    {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        return see_other(&app.public_url.join(path));
    }
    Ok(next.run(request).await)
}

/// The other name of a loopback address, with its port.
fn twin(public_url: &PublicUrl) -> Option<String> {
    let (_, authority) = public_url.origin().split_once("://")?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let other = match host {
        "127.0.0.1" => "localhost",
        "localhost" => "127.0.0.1",
        _ => return None,
    };
    Some(if port.is_empty() {
        other.to_owned()
    } else {
        format!("{other}:{port}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_has_a_twin() {
        let twin = |url: &str| twin(&url.parse().unwrap());
        assert_eq!(
            twin("http://127.0.0.1:8080").as_deref(),
            Some("localhost:8080")
        );
        assert_eq!(twin("http://localhost").as_deref(), Some("127.0.0.1"));
        assert_eq!(twin("https://tickets.example.org"), None);
    }
}
