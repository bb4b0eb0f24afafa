use axum::{Json, extract::State};
use kit::Failure;
use proto::notify::{self, GetTemplateRequest};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{all, broken, filled, time_of},
    },
};

/// The words of one kind of message in one language.
#[derive(Serialize, ToSchema)]
pub struct Template {
    #[schema(example = "receipt")]
    kind: String,
    #[schema(example = "de")]
    language: String,
    /// 0 is the one that comes with the program.
    version: u32,
    /// In force now.
    source: String,
    /// What comes with the program.
    builtin_source: String,
    /// What it may name.
    facts: Vec<TemplateFact>,
    /// Names for a preview.
    samples: Vec<String>,
    /// Newest first, 20 at most; without version 0.
    versions: Vec<TemplateVersion>,
}

#[derive(Serialize, ToSchema)]
pub struct TemplateFact {
    #[schema(example = "title")]
    name: String,
    /// From the first sample.
    #[schema(example = "Nightjar Live")]
    example: String,
}

#[derive(Serialize, ToSchema)]
pub struct TemplateVersion {
    version: u32,
    /// Null where it was reverted to what comes with the program.
    source: Option<String>,
    note: String,
    /// A user's id.
    #[schema(format = Uuid)]
    published_by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    published_at: OffsetDateTime,
}

impl TryFrom<notify::TemplateVersion> for TemplateVersion {
    type Error = Failure;

    fn try_from(version: notify::TemplateVersion) -> Result<Self, Failure> {
        Ok(Self {
            published_at: time_of(version.published_at.as_ref(), "time")?,
            version: version.version,
            source: filled(version.source),
            note: version.note,
            published_by: version.published_by,
        })
    }
}

impl Template {
    pub fn required(template: Option<notify::Template>) -> Result<Self, Failure> {
        let template = template.ok_or_else(|| broken("template"))?;
        let facts = template.facts.into_iter();
        Ok(Self {
            kind: template.kind,
            language: template.language,
            version: template.version,
            source: template.source,
            builtin_source: template.builtin_source,
            facts: facts
                .map(|fact| TemplateFact {
                    name: fact.name,
                    example: fact.example,
                })
                .collect(),
            samples: template.samples,
            versions: all(template.versions)?,
        })
    }
}

/// A template: its words, what they may name, and the versions before. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/templates/{kind}/{language}", tag = "admin",
    params(("kind" = String, Path), ("language" = String, Path)),
    security(("access_token" = [])),
    responses((status = 200, body = Template), AdminOnly, Absent, Faults))]
pub async fn get_template(
    State(app): State<Shared>,
    token: AdminToken,
    Path((kind, language)): Path<(String, String)>,
) -> Result<Json<Template>, Problem> {
    let request = token.request(GetTemplateRequest { kind, language });
    let mut templates = app.upstreams.templates();
    let found = templates.get_template(request).await?.into_inner();
    Ok(Json(Template::required(found.template)?))
}
