use axum::{Json as Answer, extract::State};
use base::PoolId;
use proto::ticket::{ResumePoolRequest, Witness};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list_halted_pools::PoolUnits;
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resumption {
    believe: Believe,
    /// For the audit log: 1 to 500 characters.
    #[schema(example = "A row was edited by hand during the restore.")]
    note: String,
}

/// The side that is right where counters and ledger differ.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Believe {
    /// The counters become what the ledger adds up to.
    Ledger,
    /// The counters stay, and the ledger gets a row that makes up the difference.
    Counters,
}

impl TryFrom<String> for Believe {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "ledger" => Ok(Self::Ledger),
            "counters" => Ok(Self::Counters),
            _ => Err("must be `ledger` or `counters`"),
        }
    }
}

impl From<Believe> for Witness {
    fn from(believe: Believe) -> Self {
        match believe {
            Believe::Ledger => Self::Ledger,
            Believe::Counters => Self::Counters,
        }
    }
}

/// Stock as it is sold from now on.
#[derive(Serialize, ToSchema)]
pub struct ResumedPool {
    #[schema(format = Uuid)]
    id: String,
    /// Null means unlimited.
    capacity: Option<i64>,
    counters: PoolUnits,
}

/// Lets interrupted stock be sold again. For superadmins.
///
/// Counters and ledger agree afterwards, on the side that is believed. Stock that is not interrupted
/// is answered as it is, so repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/pools/{id}/resume", tag = "admin",
    request_body = Resumption,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = ResumedPool),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`CAPACITY_TOO_SMALL`: the ledger adds up to more than the capacity"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn resume_pool(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<PoolId>,
    Json(resumption): Json<Resumption>,
) -> Result<Answer<ResumedPool>, Problem> {
    let request = token.request(ResumePoolRequest {
        pool_id: id.to_string(),
        believe: Witness::from(resumption.believe).into(),
        note: resumption.note,
    });
    let mut audit = app.upstreams.pool_audit();
    let resumed = audit.resume_pool(request).await?.into_inner();
    Ok(Answer(ResumedPool {
        id: resumed.pool_id,
        capacity: resumed.capacity,
        counters: PoolUnits::required(resumed.counters)?,
    }))
}
