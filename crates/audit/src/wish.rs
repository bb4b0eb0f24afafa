//! What somebody looks for.

use base::{EventId, UserId};
use kit::{Failure, FieldProblem};
use proto::audit::{AuditPosition, ListAuditRequest};
use time::OffsetDateTime;
use uuid::Uuid;

pub const PAGE_SIZE_DEFAULT: u32 = 20;
pub const PAGE_SIZE_MAX: u32 = 100;
/// Longer than any object's name: a template, the digest of a mail, an id.
const WORD_MAX_BYTES: usize = 128;

/// None asks nothing.
#[derive(Debug)]
pub struct Wish {
    pub actor: Option<String>,
    pub object: Option<String>,
    pub action: Option<String>,
    pub event: Option<Uuid>,
    pub from: Option<OffsetDateTime>,
    pub to: Option<OffsetDateTime>,
    pub after: Option<(OffsetDateTime, String)>,
    /// One more than the page has.
    pub rows: i64,
}

pub fn read(request: &ListAuditRequest) -> Result<Wish, Failure> {
    let mut problems = Vec::new();
    let mut word = |field: &str, text: &str| {
        if text.len() > WORD_MAX_BYTES || text.contains('\0') {
            problems.push(FieldProblem::new(field, "is too long"));
        }
        (!text.is_empty()).then(|| text.to_owned())
    };
    let object = word("object", &request.object);
    let action = word("action", &request.action);
    let actor = (!request.actor.is_empty()).then(|| request.actor.parse::<UserId>());
    let actor = actor.transpose().unwrap_or_else(|rule| {
        problems.push(FieldProblem::new("actor", rule.to_string()));
        None
    });
    let event = (!request.event_id.is_empty()).then(|| request.event_id.parse::<EventId>());
    let event = event.transpose().unwrap_or_else(|rule| {
        problems.push(FieldProblem::new("event_id", rule.to_string()));
        None
    });
    let mut time = |field: &str, time: Option<&_>| {
        let time = time.map(proto::timestamp_from).transpose();
        time.unwrap_or_else(|rule| {
            problems.push(FieldProblem::new(field, rule.to_string()));
            None
        })
    };
    let (from, to) = (
        time("from", request.from.as_ref()),
        time("to", request.to.as_ref()),
    );
    let after = position(request.after.as_ref()).unwrap_or_else(|()| {
        problems.push(FieldProblem::new("page_token", "must be one of this list"));
        None
    });
    let size = match request.page_size {
        0 => PAGE_SIZE_DEFAULT,
        size @ 1..=PAGE_SIZE_MAX => size,
        _ => {
            let rule = format!("must be between 1 and {PAGE_SIZE_MAX}");
            problems.push(FieldProblem::new("page_size", rule));
            0
        }
    };
    if !problems.is_empty() {
        return Err(kit::fields(problems));
    }
    Ok(Wish {
        actor: actor.map(|actor| actor.to_string()),
        object,
        action,
        event: event.map(EventId::uuid),
        from,
        to,
        after,
        rows: i64::from(size) + 1,
    })
}

fn position(after: Option<&AuditPosition>) -> Result<Option<(OffsetDateTime, String)>, ()> {
    let Some(after) = after else {
        return Ok(None);
    };
    let at = after.at.as_ref().ok_or(())?;
    let at = proto::timestamp_from(at).map_err(|_| ())?;
    let fits = after.id.len() <= WORD_MAX_BYTES && !after.id.contains('\0');
    fits.then(|| Some((at, after.id.clone()))).ok_or(())
}

#[cfg(test)]
mod tests {
    use kit::ErrorReason;

    use super::*;

    #[test]
    fn what_cannot_be_looked_for_is_said_at_once() {
        let nonsense = ListAuditRequest {
            actor: "nobody".to_owned(),
            object: "x".repeat(200),
            event_id: "y".to_owned(),
            page_size: 101,
            after: Some(AuditPosition::default()),
            ..ListAuditRequest::default()
        };
        let failure = read(&nonsense).unwrap_err();
        assert_eq!(failure.reason, ErrorReason::InvalidRequest);
        let fields: Vec<&str> = failure
            .fields
            .iter()
            .map(|problem| problem.field.as_str())
            .collect();
        assert_eq!(
            fields,
            ["object", "actor", "event_id", "page_token", "page_size"]
        );
        let all = read(&ListAuditRequest::default()).unwrap();
        assert_eq!(all.rows, i64::from(PAGE_SIZE_DEFAULT) + 1);
        assert!(all.actor.is_none() && all.object.is_none() && all.event.is_none());
    }
}
