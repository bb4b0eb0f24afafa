//! From a stored message to the mail that goes out.

use std::sync::Arc;

use super::lease::Due;
use crate::{
    app::App,
    error::Error,
    kinds::{Kind, Notice},
    render::Stamp,
};

/// None where the time for it is over. Drawn on a thread of its own: it takes a while, and a panic there is
/// the end of this mail only.
pub(super) async fn compose(app: &Arc<App>, row: &Due) -> Result<Option<lettre::Message>, Error> {
    let broken = || Error::field("content", "is not what its kind says");
    let kind = Kind::from_word(&row.kind).ok_or_else(broken)?;
    let payload = kind.payload(&row.content).map_err(|_| broken())?;
    let notice = Notice::read(&app.facts, &payload)?;
    let now = app.sources.now();
    if notice.useful_until().is_some_and(|until| until < now) {
        return Ok(None);
    }
    let stamp = Stamp {
        from: app.mailer.from.clone(),
        // A mailbox recognises a mail that comes twice by this.
        message_id: row.mail_id.clone(),
        date: row.created_at,
    };
    let key = (kind, notice.language());
    let wording = app.templates.in_force(&app.db, key, row.created_at).await;
    let render = move || notice.email(wording.as_deref(), stamp);
    let mail = app.drawers.run(render).await;
    Ok(Some(
        mail.ok_or(Error::Broken("a mail could not be drawn"))??,
    ))
}
