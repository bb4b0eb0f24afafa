//! A template: its words in force, what they may name, and the versions before.

use proto::notify::{GetTemplateRequest, GetTemplateResponse};

use super::template::{self, Key};
use crate::{app::App, error::Error};

pub(in crate::rpc) async fn get_template(
    app: &App,
    request: GetTemplateRequest,
) -> Result<GetTemplateResponse, Error> {
    let key = Key::read(&request.kind, &request.language)?;
    let read = app
        .db
        .read(key, |conn, key| Box::pin(template::versions(conn, *key)));
    Ok(GetTemplateResponse {
        template: Some(template::wire(key, read.await?)?),
    })
}
