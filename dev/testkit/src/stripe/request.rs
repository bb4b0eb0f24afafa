//! A request's parameters, and Stripe's answers and errors.

use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(super) struct StripeError {
    pub status: u16,
    pub kind: &'static str,
    pub code: Option<&'static str>,
    pub param: Option<String>,
    pub message: String,
}

impl StripeError {
    /// A parameter is wrong: noticed before anything begins, so that no idempotency key keeps it.
    pub fn param(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..Self::invalid(Some(code), message)
        }
    }

    pub fn invalid(code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code,
            param: None,
            message: message.into(),
        }
    }

    pub fn missing(what: &str, id: &str) -> Self {
        Self {
            status: 404,
            ..Self::param("resource_missing", "id", format!("No such {what}: '{id}'"))
        }
    }

    pub fn of_status(status: u16, kind: &'static str, message: &str) -> Self {
        Self {
            status,
            kind,
            ..Self::invalid(None, message)
        }
    }

    pub fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{code}"));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        json!({ "error": error })
    }
}

/// The parameters of a form or a query. What is taken is known; what is left is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub fn read(text: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(text);
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), value.into_owned())
        };
        Self(pairs.map(owned).collect())
    }

    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub fn need(&mut self, name: &str) -> Result<String, StripeError> {
        let message = || format!("Missing required param: {name}.");
        self.take(name)
            .ok_or_else(|| StripeError::param("parameter_missing", name, message()))
    }

    pub fn number(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse();
        number.map(Some).map_err(|_| {
            let message = format!("Invalid integer: {text}");
            StripeError::param("parameter_invalid_integer", name, message)
        })
    }

    /// `prefix[key]` by key.
    pub fn take_map(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let key = |name: &str| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('[')?;
            Some(rest.strip_suffix(']')?.to_owned())
        };
        let mut map = BTreeMap::new();
        self.0.retain(|name, value| match key(name) {
            Some(key) => {
                map.insert(key, std::mem::take(value));
                false
            }
            None => true,
        });
        map
    }

    pub fn end(self) -> Result<(), StripeError> {
        let Some(unknown) = self.0.keys().next() else {
            return Ok(());
        };
        let message = format!("Received unknown parameter: {unknown}");
        Err(StripeError::param("parameter_unknown", unknown, message))
    }
}
