//! Rendering of pages, and answers that lead elsewhere.

use anyhow::Context as _;
use axum::response::{Html, IntoResponse as _, Response};
use base::Language;
use http::{HeaderValue, StatusCode, header};
use kit::Failure;
use minijinja::{Environment, Value, context};

use super::{assets, table};
use crate::problem::Problem;

const TEMPLATES: [(&str, &str); 24] = [
    ("layout.html", include_str!("../../shop/layout.html")),
    ("programme.html", include_str!("../../shop/programme.html")),
    ("event.html", include_str!("../../shop/event.html")),
    (
        "event_head.html",
        include_str!("../../shop/event_head.html"),
    ),
    ("checkout.html", include_str!("../../shop/checkout.html")),
    ("order.html", include_str!("../../shop/order.html")),
    ("sandbox.html", include_str!("../../shop/sandbox.html")),
    ("problem.html", include_str!("../../shop/problem.html")),
    (
        "error_page.html",
        include_str!("../../shop/error_page.html"),
    ),
    ("providers.html", include_str!("../../shop/providers.html")),
    (
        "to_payment.html",
        include_str!("../../shop/to_payment.html"),
    ),
    ("lines.html", include_str!("../../shop/lines.html")),
    ("field.html", include_str!("../../shop/field.html")),
    ("find.html", include_str!("../../shop/find.html")),
    ("find_code.html", include_str!("../../shop/find_code.html")),
    ("found.html", include_str!("../../shop/found.html")),
    ("cancel.html", include_str!("../../shop/cancel.html")),
    ("address.html", include_str!("../../shop/address.html")),
    ("transfer.html", include_str!("../../shop/transfer.html")),
    ("ticket.html", include_str!("../../shop/ticket.html")),
    (
        "unsubscribe.html",
        include_str!("../../shop/unsubscribe.html"),
    ),
    ("docs.html", include_str!("../../shop/docs.html")),
    ("terms.html", include_str!("../../shop/terms.html")),
    (
        "translations.html",
        include_str!("../../shop/translations.html"),
    ),
];

/// The templates, parsed once. Names end in `.html`, so every value is escaped.
pub struct Pages(Environment<'static>);

impl Pages {
    pub fn new() -> anyhow::Result<Self> {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment
                .add_template(name, source)
                .with_context(|| format!("template {name}"))?;
        }
        environment.add_global("assets_version", assets::VERSION.as_str());
        let languages = Language::ALL.map(|one| context! { tag => one.tag(), name => one.name() });
        environment.add_global("languages", Value::from_iter(languages));
        environment.add_function("t", table::t);
        Ok(Self(environment))
    }

    pub fn text(
        &self,
        language: Language,
        name: &str,
        values: Value,
    ) -> Result<String, minijinja::Error> {
        let values = context! { lang => language.tag(), ..values };
        self.0.get_template(name)?.render(values)
    }

    pub fn render(
        &self,
        language: Language,
        name: &str,
        values: Value,
    ) -> Result<Response, Problem> {
        let text = self
            .text(language, name, values)
            .map_err(Failure::internal)?;
        Ok(Html(text).into_response())
    }

    /// A page that is a refusal: a form with a word about what to change.
    pub fn refuse(
        &self,
        status: StatusCode,
        language: Language,
        name: &str,
        values: Value,
    ) -> Result<Response, Problem> {
        let mut response = self.render(language, name, values)?;
        *response.status_mut() = status;
        Ok(response)
    }
}

/// Leads the browser on by GET.
pub fn see_other(location: &str) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(location).map_err(Failure::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
