use std::fmt::Write as _;

use axum::extract::State;
use http::{HeaderName, HeaderValue, header};
use kit::Failure;
use time::{Duration, format_description::well_known::Rfc3339};

use crate::{
    app::Shared,
    problem::Problem,
    rest::problems::{Absent, Faults},
};

/// A reader trusts it for so long; RFC 9116 asks for less than a year.
const VALID_FOR: Duration = Duration::days(90);
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Whom to tell about a weakness (RFC 9116). Absent where the operator has not said.
#[utoipa::path(get, path = "/.well-known/security.txt", tag = "open",
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "Where to report to, and until when this holds"),
        Absent, Faults
    ))]
pub async fn security_txt(
    State(app): State<Shared>,
) -> Result<([(HeaderName, HeaderValue); 1], String), Problem> {
    let contacts = &app.security_contacts.0;
    if contacts.is_empty() {
        return Err(Failure::not_found("security contact").into());
    }
    let mut text = String::new();
    for contact in contacts {
        let _ = writeln!(text, "Contact: {contact}");
    }
    let until = (app.sources.now() + VALID_FOR).replace_nanosecond(0);
    let until = until.map_err(Failure::internal)?;
    let until = until.format(&Rfc3339).map_err(Failure::internal)?;
    let own = app.public_url.join("/.well-known/security.txt");
    let _ = write!(text, "Expires: {until}\nCanonical: {own}\n");
    Ok(([(header::CONTENT_TYPE, TEXT)], text))
}
