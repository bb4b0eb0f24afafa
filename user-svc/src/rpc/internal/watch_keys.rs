//! What decides about tokens: at once, after every change, and each second. Each message is the whole, so
//! whoever missed one has missed nothing.

use futures::{StreamExt as _, stream::BoxStream};
use proto::user::WatchKeysResponse;
use tonic::Status;

use super::list_keys::{keys, revocations};
use crate::app::App;

pub(in crate::rpc) type Told = BoxStream<'static, Result<WatchKeysResponse, Status>>;

pub(in crate::rpc) fn watch_keys(app: &App) -> Told {
    let closing = app.closing.clone();
    let told = app.board.looks().map(|rules| WatchKeysResponse {
        keys: keys(&rules),
        revocations: Some(revocations(&rules)),
    });
    // A stream without an end would keep the server from draining.
    told.take_until(async move { closing.begun().await })
        .map(Ok)
        .boxed()
}
