//! What the guest wants to hear beside the receipt, and in which language.

use std::sync::Arc;

use base::{OrderId, bounded};
use kit::FieldProblem;
use proto::payment::{UpdatePreferencesRequest, UpdatePreferencesResponse};
use sqlx::PgConnection;

use super::place_order::LOCALE_MAX_CHARS;
use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, By},
    view,
};

const PREFERENCES: &str = "preferences";

struct Change {
    order: OrderId,
    locale: Option<String>,
    reminder: Option<bool>,
    notices: Option<bool>,
    by: By,
}

pub(in crate::rpc) async fn update_preferences(
    app: &Arc<App>,
    request: UpdatePreferencesRequest,
) -> Result<UpdatePreferencesResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let locale = request.locale.as_deref();
    let locale = locale.map(|tag| bounded("locale", tag, 0, LOCALE_MAX_CHARS));
    let locale = locale
        .transpose()
        .map_err(|e| Error::Fields(vec![FieldProblem::new("locale", e.problem)]))?;
    let change = Change {
        order: order.order_id(),
        locale,
        reminder: request.reminder,
        notices: request.notices,
        by: By::now("guest"),
    };
    let write = app.db.run(change, |tx, change| Box::pin(write(tx, change)));
    write.await?;
    Ok(UpdatePreferencesResponse {
        order: Some(view::order(app, order.order_id()).await?),
    })
}

async fn write(tx: &mut PgConnection, change: &Change) -> Result<(), Error> {
    let status = saga::order_status(tx, change.order).await?;
    let changed = sqlx::query!(
        "UPDATE orders SET locale = coalesce($2, locale), reminder = coalesce($3, reminder),
             notices = coalesce($4, notices), updated_at = clock_timestamp()
         WHERE id = $1 AND erased_at IS NULL
           AND (locale, reminder, notices)
               IS DISTINCT FROM (coalesce($2, locale), coalesce($3, reminder), coalesce($4, notices))",
        change.order.uuid(),
        change.locale,
        change.reminder,
        change.notices,
    );
    if changed.execute(&mut *tx).await?.rows_affected() == 1 {
        store::note(tx, change.order, status, &change.by, PREFERENCES).await?;
    }
    Ok(())
}
