use axum::{Json as Answer, extract::State};
use proto::notify::PreviewTemplateRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewWish {
    /// At most 16 KiB; left out, it is the one in force.
    source: Option<String>,
    /// One of the template's `samples`; left out, it is the first.
    #[schema(example = "long")]
    sample: Option<String>,
}

/// The mail that a sample message would become.
#[derive(Serialize, ToSchema)]
pub struct TemplatePreview {
    sample: String,
    subject: String,
    html: String,
    text: String,
}

/// Shows what a template makes of a sample message. For superadmins.
///
/// Nothing is stored or sent. A template that does not fit every sample is refused, as it is when it
/// is published.
#[utoipa::path(post, path = "/api/v1/admin/templates/{kind}/{language}/preview", tag = "admin",
    request_body = PreviewWish,
    params(("kind" = String, Path), ("language" = String, Path)),
    security(("access_token" = [])),
    responses(
        (status = 200, body = TemplatePreview),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn preview_template(
    State(app): State<Shared>,
    token: AdminToken,
    Path((kind, language)): Path<(String, String)>,
    Json(wish): Json<PreviewWish>,
) -> Result<Answer<TemplatePreview>, Problem> {
    let request = token.request(PreviewTemplateRequest {
        kind,
        language,
        source: wish.source.unwrap_or_default(),
        sample: wish.sample.unwrap_or_default(),
    });
    let mut templates = app.upstreams.templates();
    let shown = templates.preview_template(request).await?.into_inner();
    Ok(Answer(TemplatePreview {
        sample: shown.sample,
        subject: shown.subject,
        html: shown.html,
        text: shown.text,
    }))
}
