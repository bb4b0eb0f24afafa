//! The mail that a sample would become, in words that need not be published.

use proto::notify::{PreviewTemplateRequest, PreviewTemplateResponse};

use super::template::{self, Key};
use crate::{app::App, error::Error, templates};

pub(in crate::rpc) async fn preview_template(
    app: &App,
    request: PreviewTemplateRequest,
) -> Result<PreviewTemplateResponse, Error> {
    let key = Key::read(&request.kind, &request.language)?;
    let source = if request.source.is_empty() {
        let read = app
            .db
            .read(key, |conn, key| Box::pin(template::versions(conn, *key)));
        let versions = read.await?;
        template::in_force(key, &versions).1.to_owned()
    } else {
        request.source
    };
    let wording = template::try_out(key, source).await?;
    let shown = templates::preview((key.kind, key.language), &wording, &request.sample)?;
    let (sample, mail) = shown.ok_or_else(|| Error::field("sample", "is none of its samples"))?;
    Ok(PreviewTemplateResponse {
        sample,
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
    })
}
