use axum::{Json, extract::State};
use kit::{Failure, FieldProblem};
use proto::audit::{AuditPosition, ListAuditRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{all, broken, filled, moment, time_of},
    },
};

const PAGE_SIZE_DEFAULT: u32 = 20;
const PAGE_SIZE_MAX: u32 = 100;

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// The id of an account.
    actor: String,
    /// The id of what was changed.
    object: String,
    /// For example `refund.request`, or its first part alone: `refund`.
    action: String,
    event_id: String,
    /// At or after this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    entries: Vec<AuditEntry>,
    /// Empty on the last page.
    next_page_token: String,
}

/// One thing that an admin did.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
    /// The id of the account; null where nobody was signed in yet.
    actor: Option<String>,
    #[schema(example = "event.updated")]
    action: String,
    #[schema(example = "event")]
    object_kind: String,
    object: String,
    /// Counts the entries of this object from 1, without a gap.
    seq: u64,
    event_id: Option<String>,
    /// What was; null where there was nothing.
    #[schema(value_type = Option<Object>)]
    before: Value,
    /// What is; null where nothing is left.
    #[schema(value_type = Option<Object>)]
    after: Value,
    /// What the admin said of it.
    reason: Option<String>,
    trace_id: Option<String>,
    /// Where the request came from.
    address: Option<String>,
}

impl TryFrom<proto::audit::AuditEntry> for AuditEntry {
    type Error = Failure;

    fn try_from(entry: proto::audit::AuditEntry) -> Result<Self, Failure> {
        Ok(Self {
            at: time_of(entry.at.as_ref(), "time")?,
            before: json(&entry.before)?,
            after: json(&entry.after)?,
            id: entry.id,
            actor: filled(entry.actor),
            action: entry.action,
            object_kind: entry.object_kind,
            object: entry.object,
            seq: entry.seq,
            event_id: filled(entry.event_id),
            reason: filled(entry.reason),
            trace_id: filled(entry.trace_id),
            address: filled(entry.address),
        })
    }
}

fn json(text: &str) -> Result<Value, Failure> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|_| broken("record"))
}

/// What admins did, in all services, newest first.
///
/// Superadmins see everything. Other admins see what was done to the concerts that they may look into, and
/// what they did to accounts and sessions themselves. While a service cannot be asked there is no list: one
/// with a part missing would mislead.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "admin", params(Search),
    security(("access_token" = [])),
    responses((status = 200, body = AuditPage), AdminOnly, BadQuery, Faults))]
pub async fn list_audit(
    State(app): State<Shared>,
    token: AdminToken,
    Query(search): Query<Search>,
) -> Result<Json<AuditPage>, Problem> {
    let size = match search.page_size {
        0 => PAGE_SIZE_DEFAULT,
        size => size.min(PAGE_SIZE_MAX + 1),
    };
    let wish = ListAuditRequest {
        from: moment::query("from", search.from.as_deref())?,
        to: moment::query("to", search.to.as_deref())?,
        after: position(&search.page_token)?,
        page_size: size,
        actor: search.actor,
        object: search.object,
        action: search.action,
        event_id: search.event_id,
    };
    let parts = app.upstreams.audits().map(|mut part| {
        let request = token.clone().request(wish.clone());
        async move { part.list_audit(request).await }
    });
    let parts = futures::future::try_join_all(parts).await?;
    let found = parts.into_iter().flat_map(|part| part.into_inner().entries);
    let mut entries: Vec<AuditEntry> = all(found.collect())?;
    entries.sort_unstable_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    let page = size as usize;
    let goes_on = entries.len() > page;
    entries.truncate(page);
    let last = entries.last().filter(|_| goes_on);
    Ok(Json(AuditPage {
        next_page_token: last.map_or(String::new(), page_token),
        entries,
    }))
}

/// The place of an entry: its time in microseconds, which is as fine as databases keep it, and its id.
fn page_token(last: &AuditEntry) -> String {
    let micros = last.at.unix_timestamp_nanos() / 1000;
    format!("{micros}.{}", last.id)
}

fn position(token: &str) -> Result<Option<AuditPosition>, Failure> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (micros, id) = token.split_once('.')?;
        let micros: i64 = micros.parse().ok()?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
        Some(AuditPosition {
            at: Some(proto::timestamp(at)),
            id: id.to_owned(),
        })
    };
    let problem =
        || FieldProblem::new("page_token", "must be `next_page_token` of the page before");
    read().map(Some).ok_or_else(|| kit::fields(vec![problem()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_place_or_refused() {
        let place = position("1761000000000001.ticket-0190").unwrap().unwrap();
        let at = proto::timestamp_from(&place.at.unwrap()).unwrap();
        assert_eq!(at.unix_timestamp_nanos(), 1_761_000_000_000_001_000);
        assert_eq!(place.id, "ticket-0190");
        assert!(position("").unwrap().is_none());
        for bad in [
            "x",
            "1",
            "x.y",
            "99999999999999999999.y",
            "9223372036854775807.y",
        ] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}
