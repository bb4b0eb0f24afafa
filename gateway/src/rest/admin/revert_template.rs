use axum::{Json as Answer, extract::State};
use proto::notify::RevertTemplateRequest;
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
pub struct Reversion {
    /// 0 is the one that comes with the program.
    version: u32,
    /// For the audit log: 1 to 500 characters.
    #[schema(example = "The old words were better")]
    note: String,
    /// The version that is to be replaced; left out, it is whichever is in force.
    expected_version: Option<u32>,
}

/// Puts an earlier version's words in force again, as a new version. For superadmins.
#[utoipa::path(post, path = "/api/v1/admin/templates/{kind}/{language}/revert", tag = "admin",
    request_body = Reversion,
    params(("kind" = String, Path), ("language" = String, Path)),
    security(("access_token" = [])),
    responses((status = 200, body = Template), BadBody, AdminOnly, Absent, Stale, Faults))]
pub async fn revert_template(
    State(app): State<Shared>,
    token: AdminToken,
    Path((kind, language)): Path<(String, String)>,
    Json(reversion): Json<Reversion>,
) -> Result<Answer<Template>, Problem> {
    let request = token.request(RevertTemplateRequest {
        kind,
        language,
        version: reversion.version,
        note: reversion.note,
        expected_version: reversion.expected_version,
    });
    let mut templates = app.upstreams.templates();
    let published = templates.revert_template(request).await?.into_inner();
    Ok(Answer(Template::required(published.template)?))
}
