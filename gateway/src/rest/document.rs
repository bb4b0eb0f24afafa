//! What the OpenAPI document says beyond what Rust's types say: the bounds that stand in the fields'
//! descriptions, and what many operations have in common. So a program that is made from the document
//! sends what will be taken, and knows every answer.

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use crate::problem::CONTENT_TYPE;

/// No control characters, and something beside blanks.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// What no text may have; a password may have everything else.
const ANYTHING: &str = r"^[^\u0000]*$";
const ONE_LINE_OR_NOTHING: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
pub const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The document as it is served.
pub fn refined(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, operations) in paths.into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = operations.get_mut(method) {
                refine(path, method, operation);
            }
        }
    }
    let schemas = document.pointer_mut("/components/schemas");
    let schemas = schemas.and_then(Value::as_object_mut);
    for schema in schemas.into_iter().flat_map(|all| all.values_mut()) {
        bound(schema);
    }
    widen(&mut document);
    document
}

fn refine(path: &str, method: &str, operation: &mut Value) {
    let mut takes_a_version = false;
    for parameter in list(operation.get_mut("parameters")) {
        let name = parameter["name"].as_str().unwrap_or_default();
        takes_a_version |= name == "If-Match";
        if let Some(schema) = of_parameter(name) {
            parameter["schema"] = schema;
        } else {
            let description = parameter["description"].clone();
            bound_one(&mut parameter["schema"], &description);
        }
    }
    if let Some(body) = operation.pointer_mut("/requestBody/content/application~1json/schema") {
        // What may be left out is not null either.
        let object = list(body.get_mut("oneOf")).find(|schema| schema["$ref"].is_string());
        if let Some(object) = object.map(Value::take) {
            *body = object;
        }
    }
    if let Some(events) = operation.pointer_mut("/responses/200/content/text~1event-stream") {
        // Their form is the standard's; the description says which there are.
        *events = json!({});
    }
    let responses = operation.get_mut("responses");
    if let Some(responses) = responses.and_then(Value::as_object_mut) {
        let mut also = |status: &str, what: &str| {
            responses.entry(status).or_insert_with(|| problem(what));
        };
        if method != "get" && !path.starts_with("/api/v1/webhooks/") {
            also(
                "403",
                "`CROSS_SITE_REQUEST`: a page of another site sent it",
            );
        }
        if takes_a_version {
            also("422", "`INVALID_REQUEST` with `errors[]`");
        }
    }
    if list(operation.get_mut("security")).any(|one| one.get("access_token").is_some()) {
        operation["security"] = json!([{"access_token": []}, {"dashboard_session": []}]);
    }
}

/// Parameters that mean the same wherever they stand.
fn of_parameter(name: &str) -> Option<Value> {
    Some(match name {
        "Idempotency-Key" => json!({
            "type": "string", "minLength": 16, "maxLength": 255, "pattern": "^[!-~]+$",
        }),
        "If-Match" => json!({
            "type": "string", "pattern": "^(\\*|\"[1-9][0-9]{0,17}\")$", "example": "\"3\"",
        }),
        "If-None-Match" | "X-CSRF-Token" => json!({"type": "string"}),
        // 0 is as if it were left out.
        "page_size" => json!({"type": "integer", "minimum": 0, "maximum": 100}),
        _ => return None,
    })
}

fn bound(schema: &mut Value) {
    for part in list(schema.get_mut("allOf")) {
        bound(part);
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|all| all.values_mut()) {
        let description = property["description"].clone();
        bound_one(property, &description);
    }
}

/// Says in the schema what the description says in words.
fn bound_one(schema: &mut Value, description: &Value) {
    let Some(description) = description.as_str() else {
        return;
    };
    let types = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => return,
    };
    let is = |wanted: &str| types.iter().any(|one| one == wanted);
    let Some((least, most, characters)) = bounds(description) else {
        return;
    };
    if is("string") && characters {
        let lines = description.contains("several lines") || most > 1_000;
        schema["maxLength"] = json!(most);
        if least > 0 {
            schema["minLength"] = json!(least);
        }
        if schema["format"] == "password" {
            schema["pattern"] = json!(ANYTHING);
        } else if !lines {
            let pattern = if least > 0 {
                ONE_LINE
            } else {
                ONE_LINE_OR_NOTHING
            };
            schema["pattern"] = json!(pattern);
        }
    } else if is("integer") && !characters {
        schema["minimum"] = json!(least);
        schema["maximum"] = json!(most);
    }
}

/// The first `1 to 200`, `up to 500` or `at most 60` of a description, and whether characters are meant.
fn bounds(description: &str) -> Option<(i64, i64, bool)> {
    let words: Vec<&str> = description.split_whitespace().collect();
    let number = |word: &str| {
        let digits = word.trim_end_matches([',', '.', ';', ':']).replace(',', "");
        digits.parse::<i64>().ok()
    };
    let meant = |next: usize| {
        let next = words.get(next).copied().unwrap_or_default();
        next.starts_with("characters")
    };
    for (at, three) in words.windows(3).enumerate() {
        let [first, second, third] = three else {
            continue;
        };
        if *second == "to"
            && let (Some(least), Some(most)) = (number(first), number(third))
        {
            return Some((least, most, meant(at + 3)));
        }
        let up_to = first.eq_ignore_ascii_case("up") && *second == "to"
            || first.eq_ignore_ascii_case("at") && *second == "most";
        if let Some(most) = number(third).filter(|_| up_to) {
            return Some((0, most, meant(at + 3)));
        }
    }
    None
}

/// A number without a sign has 32 bits, all of them.
fn widen(value: &mut Value) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(widen),
        Value::Object(parts) => {
            let unsigned = parts.get("format").is_some_and(|format| format == "int32")
                && parts.get("minimum").is_some_and(|least| least == 0);
            if unsigned {
                parts.insert("format".to_owned(), json!("int64"));
                parts.entry("maximum").or_insert(json!(u32::MAX));
            }
            parts.values_mut().for_each(widen);
        }
        _ => {}
    }
}

fn problem(what: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    json!({"description": what, "content": {CONTENT_TYPE: {"schema": schema}}})
}

fn list(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        for (description, expected) in [
            ("1 to 200 characters.", Some((1, 200, true))),
            ("Up to 10,000 characters.", Some((0, 10_000, true))),
            ("For the books: up to 500 characters.", Some((0, 500, true))),
            ("1 to 100; 10 where it is left out.", Some((1, 100, false))),
            (
                "0 to 10,000,000; unlimited where it is left out.",
                Some((0, 10_000_000, false)),
            ),
            (
                "Over all orders of a guest, 1 to 1,000. Null means no limit.",
                Some((1, 1_000, false)),
            ),
            ("At most 60; 0 means the default.", Some((0, 60, false))),
            ("From the first to the last.", None),
            ("", None),
        ] {
            assert_eq!(bounds(description), expected, "{description}");
        }
    }

    #[test]
    fn schemas_say_it_too() {
        let mut title = json!({"type": ["string", "null"]});
        bound_one(&mut title, &json!("1 to 200 characters."));
        assert_eq!(
            title,
            json!({"type": ["string", "null"], "minLength": 1, "maxLength": 200, "pattern": ONE_LINE})
        );
        let mut stock = json!({"type": "integer", "format": "int64"});
        bound_one(&mut stock, &json!("0 to 10,000,000; unlimited."));
        assert_eq!(
            (&stock["minimum"], &stock["maximum"]),
            (&json!(0), &json!(10_000_000))
        );
        let mut count = json!({"type": "integer", "format": "int32", "minimum": 0});
        widen(&mut count);
        assert_eq!(
            (&count["format"], &count["maximum"]),
            (&json!("int64"), &json!(u32::MAX))
        );
    }
}
