//! The refusals that operations have in common, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::problem::CONTENT_TYPE;

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $what:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$((stringify!($status).to_owned(), problem($what))),+].into()
            }
        }
    )+};
}

groups! {
    /// What any operation may answer.
    Faults {
        429: "`TOO_MANY_REQUESTS`. Repeat after `Retry-After`.",
        500: "`INTERNAL`",
        503: "`UNAVAILABLE`, `OVERLOADED` or `OUTCOME_UNKNOWN`. Repeat after `Retry-After` with the same key.",
    }
    /// An operation with a body or an `Idempotency-Key`.
    BadBody {
        400: "`MALFORMED_BODY` or `IDEMPOTENCY_KEY_INVALID`",
        413: "`BODY_TOO_LARGE`",
        415: "`UNSUPPORTED_MEDIA_TYPE`",
        422: "`INVALID_REQUEST` with `errors[]`, `IDEMPOTENCY_KEY_REUSED`, `PROVIDER_NOT_ENABLED`",
    }
    /// An operation with a query.
    BadQuery { 422: "`INVALID_REQUEST` with `errors[]`" }
    /// An operation with a guest's Idempotency-Key and no body.
    BadKey { 400: "`IDEMPOTENCY_KEY_INVALID`" }
    Absent { 404: "`NOT_FOUND`" }
    /// Open to whoever has the secret.
    Secret {
        401: "`UNAUTHENTICATED`: no secret came along",
        404: "`NOT_FOUND`, for absent and foreign alike",
    }
    /// Open to admins.
    AdminOnly {
        401: "`UNAUTHENTICATED`",
        403: "`PERMISSION_DENIED`",
    }
    Stale { 412: "`VERSION_MISMATCH`" }
}

fn problem(what: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(what)
        .content(
            CONTENT_TYPE,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
        .into()
}
