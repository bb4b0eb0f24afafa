//! Which part of the record of accounts an admin may read.

use audit::{Sees, Sight};
use futures::future::BoxFuture;
use kit::{Admin, Failure};
use proto::Grant;

/// What is about accounts is about no event: an admin reads what they did, and what was done to them.
pub(crate) struct OwnDeeds;

impl Sees for OwnDeeds {
    fn sight(
        &self,
        admin: Admin,
        _grants: &'static [Grant],
    ) -> BoxFuture<'_, Result<Sight, Failure>> {
        Box::pin(async move { Ok(Sight::Own(admin.id)) })
    }
}
