//! Every kind of message in every language, and which version of its words is in force.

use std::collections::HashMap;

use proto::notify::{ListTemplatesResponse, TemplateSummary};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{app::App, error::Error, kinds::Kind, render::Language};

pub(in crate::rpc) async fn list_templates(app: &App) -> Result<ListTemplatesResponse, Error> {
    let read = app.db.read((), |conn, ()| Box::pin(in_force(conn)));
    let mut found: HashMap<_, _> = read
        .await?
        .into_iter()
        .map(|row| ((row.kind.clone(), row.language.clone()), row))
        .collect();
    let all = Kind::ALL
        .into_iter()
        .flat_map(|kind| Language::ALL.map(|language| (kind, language)));
    let templates = all.map(|(kind, language)| {
        let (kind, language) = (kind.word().to_owned(), language.tag().to_owned());
        match found.remove(&(kind.clone(), language.clone())) {
            Some(row) => TemplateSummary {
                kind,
                language,
                version: row.version.unsigned_abs(),
                builtin: row.builtin,
                published_at: Some(proto::timestamp(row.published_at)),
            },
            None => TemplateSummary {
                kind,
                language,
                version: 0,
                builtin: true,
                published_at: None,
            },
        }
    });
    Ok(ListTemplatesResponse {
        templates: templates.collect(),
    })
}

struct Row {
    kind: String,
    language: String,
    version: i32,
    builtin: bool,
    published_at: OffsetDateTime,
}

async fn in_force(conn: &mut PgConnection) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT DISTINCT ON (kind, language)
               kind, language, version, source IS NULL AS "builtin!", published_at
           FROM template_versions ORDER BY kind, language, version DESC"#,
    );
    Ok(rows.fetch_all(conn).await?)
}
