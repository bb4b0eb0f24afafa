//! Idempotency keys: the same key and the same parameters are answered with the same bytes.

use super::request::{Params, StripeError};
use std::collections::HashMap;

pub(super) type Keys = HashMap<String, Kept>;

#[derive(Debug)]
pub(super) struct Kept {
    path: String,
    params: Params,
    /// None while the first request is under way.
    answer: Option<Answer>,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub replayed: bool,
}

/// None: this request is the first, and tells by `end` what became of it.
pub(super) fn begin(
    keys: &mut Keys,
    key: &str,
    path: &str,
    params: &Params,
) -> Result<Option<Answer>, StripeError> {
    if key.is_empty() || key.len() > 255 {
        let message = "Idempotency keys have 1 to 255 characters.";
        return Err(StripeError::of_status(400, "idempotency_error", message));
    }
    let Some(kept) = keys.get(key) else {
        let (path, params) = (path.to_owned(), params.clone());
        let answer = None;
        keys.insert(
            key.to_owned(),
            Kept {
                path,
                params,
                answer,
            },
        );
        return Ok(None);
    };
    if (kept.path.as_str(), &kept.params) != (path, params) {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        return Err(StripeError::of_status(400, "idempotency_error", &message));
    }
    match &kept.answer {
        Some(answer) => Ok(Some(Answer {
            replayed: true,
            ..answer.clone()
        })),
        None => {
            let message = format!(
                "There is currently another in-progress request using this Idempotent Key: {key}."
            );
            Err(StripeError {
                code: Some("idempotency_key_in_use"),
                ..StripeError::of_status(409, "idempotency_error", &message)
            })
        }
    }
}

/// What failed validation never began, and its key is free again.
pub(super) fn end(keys: &mut Keys, key: &str, answer: Option<&Answer>) {
    match (answer, keys.get_mut(key)) {
        (Some(answer), Some(kept)) => kept.answer = Some(answer.clone()),
        _ => drop(keys.remove(key)),
    }
}
