use axum::{Json as Answer, extract::State};
use proto::notify::PublishTemplateRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::get_template::Template;
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, BadBody, Faults, Stale},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    /// At most 16 KiB.
    source: String,
    /// For the audit log: 1 to 500 characters.
    #[schema(example = "A friendlier greeting")]
    note: String,
    /// The version that the change is based on; left out, it is whichever is in force.
    #[schema(example = 0)]
    expected_version: Option<u32>,
}

/// Puts new words in force, as a new version. For superadmins.
///
/// Messages that come from now on are written in them. The words that are in force already are
/// answered as they are, so repeating it changes nothing.
#[utoipa::path(put, path = "/api/v1/admin/templates/{kind}/{language}", tag = "admin",
    request_body = NewTemplate,
    params(("kind" = String, Path), ("language" = String, Path)),
    security(("access_token" = [])),
    responses((status = 200, body = Template), BadBody, AdminOnly, Absent, Stale, Faults))]
pub async fn publish_template(
    State(app): State<Shared>,
    token: AdminToken,
    Path((kind, language)): Path<(String, String)>,
    Json(new): Json<NewTemplate>,
) -> Result<Answer<Template>, Problem> {
    let request = token.request(PublishTemplateRequest {
        kind,
        language,
        source: new.source,
        note: new.note,
        expected_version: new.expected_version,
    });
    let mut templates = app.upstreams.templates();
    let published = templates.publish_template(request).await?.into_inner();
    Ok(Answer(Template::required(published.template)?))
}
