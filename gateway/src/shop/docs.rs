//! `GET /docs`: the OpenAPI document for people. It is made once, from the same document that programs get.

use base::Language;
use kit::Failure;
use minijinja::{Value as View, context};
use serde_json::{Map, Value};

use crate::{app::App, error_pages, rest::document::METHODS};

/// The page, in this language around it; what it says is in English, as the document is.
pub fn page(app: &App, language: Language, document: &Value) -> Result<String, Failure> {
    let about = &document["info"]["description"];
    let values = context! {
        title => "REST",
        about => prose(about),
        groups => groups(document),
        shapes => shapes(document),
    };
    let page = app.pages.text(language, "docs.html", values);
    page.map_err(Failure::internal)
}

fn groups(document: &Value) -> Vec<View> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| {
        context! {
            name => text(&tag["name"]),
            about => text(&tag["description"]).trim_end_matches('.'),
            operations => operations(document, text(&tag["name"])),
        }
    })
    .collect()
}

fn operations(document: &Value, tag: &str) -> Vec<View> {
    let mut found = Vec::new();
    for (path, methods) in object(&document["paths"]) {
        for method in METHODS {
            let one = &methods[method];
            let is_of_tag = |tags: &Vec<Value>| tags.iter().any(|one| one == tag);
            if one["tags"].as_array().is_some_and(is_of_tag) {
                found.push(operation(path, method, one));
            }
        }
    }
    found
}

fn operation(path: &str, method: &str, one: &Value) -> View {
    let parameters = one["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<View> = parameters
        .map(|field| {
            context! {
                name => text(&field["name"]),
                place => text(&field["in"]),
                required => field["required"] == true,
                kind => kind(&field["schema"]),
                about => prose(&field["description"]),
            }
        })
        .collect();
    let answers: Vec<View> = object(&one["responses"])
        .map(|(status, answer)| {
            context! {
                status => status,
                kind => content(answer),
                about => prose(&answer["description"]),
            }
        })
        .collect();
    let proofs = one["security"].as_array().into_iter().flatten();
    let proofs: Vec<&str> = proofs
        .flat_map(|one| object(one).map(|(name, _)| name.as_str()))
        .collect();
    context! {
        id => text(&one["operationId"]),
        method => method.to_uppercase(),
        path => path,
        summary => prose(&one["summary"]),
        about => prose(&one["description"]),
        proof => proofs.join(" or "),
        parameters => parameters,
        body => content(&one["requestBody"]),
        answers => answers,
    }
}

fn shapes(document: &Value) -> Vec<View> {
    object(&document["components"]["schemas"])
        .map(|(name, schema)| {
            let (base, own) = parts(schema);
            context! {
                name => name,
                about => prose(&schema["description"]),
                base => base,
                kind => (own["properties"].is_null()).then(|| kind(schema)),
                fields => fields(own),
            }
        })
        .collect()
}

/// A shape that has all of another one, and more of its own; else itself.
fn parts(schema: &Value) -> (Option<View>, &Value) {
    let all = schema["allOf"].as_array().into_iter().flatten();
    let own = all.clone().find(|one| one["properties"].is_object());
    let base = all.clone().find(|one| one["$ref"].is_string());
    match (base, own) {
        (Some(base), Some(own)) => (Some(kind(base)), own),
        _ => (None, schema),
    }
}

fn fields(schema: &Value) -> Vec<View> {
    let required = schema["required"].as_array();
    object(&schema["properties"])
        .map(|(field, schema)| {
            context! {
                name => field,
                required => required.is_some_and(|all| all.iter().any(|one| one == field)),
                kind => kind(schema),
                about => prose(&schema["description"]),
            }
        })
        .collect()
}

/// What a body consists of; nothing where there is none. A body that is no JSON is named by its media type.
fn content(of: &Value) -> Option<View> {
    let (media, content) = object(&of["content"]).next()?;
    if media.ends_with("json") {
        return Some(kind(&content["schema"]));
    }
    Some(named("", media, false, ""))
}

/// A type in words, with the name of a shape to follow.
fn kind(schema: &Value) -> View {
    let (before, name, shape, after) = words(schema);
    named(before, &name, shape, after)
}

fn words(schema: &Value) -> (&'static str, String, bool, &'static str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return ("", name.to_owned(), true, "");
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let all = schema[several].as_array().into_iter().flatten();
        let is_null = |one: &&Value| one["type"] == "null";
        let after = all.clone().find(is_null).map_or("", |_| " or null");
        if let Some(one) = all.clone().find(|one| !is_null(one)) {
            let (before, name, shape, _) = words(one);
            return (before, name, shape, after);
        }
    }
    let (kinds, after) = match &schema["type"] {
        Value::Array(all) => (
            all.iter().find(|one| *one != "null").map_or("", text),
            " or null",
        ),
        one => (text(one), ""),
    };
    if kinds == "array" {
        let (_, name, shape, _) = words(&schema["items"]);
        return ("list of ", name, shape, after);
    }
    let values = schema["enum"].as_array().into_iter().flatten();
    let values: Vec<&str> = values.map(text).collect();
    let name = match (values.is_empty(), schema["format"].as_str()) {
        (false, _) => values.join(", "),
        (true, Some(format)) => format!("{kinds} ({format})"),
        (true, None) if kinds.is_empty() => "anything".to_owned(),
        (true, None) => kinds.to_owned(),
    };
    ("", name, false, after)
}

fn named(before: &str, name: &str, shape: bool, after: &str) -> View {
    context! { before => before, name => name, shape => shape, after => after }
}

/// Marked text as HTML; nothing where there is none.
fn prose(value: &Value) -> Option<View> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    let text = text.trim_end_matches('.');
    Some(View::from_safe_string(error_pages::inline(text)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
