use axum::{Json, extract::State};
use kit::Failure;
use proto::notify::{ListTemplatesRequest, TemplateSummary};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::{all, optional_time},
    },
};

#[derive(Serialize, ToSchema)]
pub struct Templates {
    templates: Vec<ListedTemplate>,
}

/// The words of one kind of message in one language.
#[derive(Serialize, ToSchema)]
pub struct ListedTemplate {
    #[schema(example = "receipt")]
    kind: String,
    #[schema(example = "de")]
    language: String,
    /// 0 is the one that comes with the program.
    version: u32,
    /// It says what comes with the program, whatever its number.
    builtin: bool,
    /// Null for version 0.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<OffsetDateTime>,
}

impl TryFrom<TemplateSummary> for ListedTemplate {
    type Error = Failure;

    fn try_from(template: TemplateSummary) -> Result<Self, Failure> {
        Ok(Self {
            published_at: optional_time(template.published_at.as_ref())?,
            kind: template.kind,
            language: template.language,
            version: template.version,
            builtin: template.builtin,
        })
    }
}

/// The words of every kind of message in every language. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/templates", tag = "admin",
    security(("access_token" = [])),
    responses((status = 200, body = Templates), AdminOnly, Faults))]
pub async fn list_templates(
    State(app): State<Shared>,
    token: AdminToken,
) -> Result<Json<Templates>, Problem> {
    let request = token.request(ListTemplatesRequest {});
    let mut templates = app.upstreams.templates();
    let found = templates.list_templates(request).await?.into_inner();
    Ok(Json(Templates {
        templates: all(found.templates)?,
    }))
}
