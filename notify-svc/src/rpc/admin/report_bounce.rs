//! A mail came back: the report as it came, or what a person saw.

use base::NotificationId;
use proto::notify::{ReportBounceRequest, ReportBounceResponse};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::{dismiss_notification::read_note, sight::Caller};
use crate::{
    app::App,
    bounce::{self, REPORT_MAX_BYTES, Report},
    error::Error,
    store::{self, Audit, Row},
};

pub(in crate::rpc) async fn report_bounce(
    app: &App,
    request: Request<ReportBounceRequest>,
) -> Result<ReportBounceResponse, Error> {
    let caller = Caller::of(&request)?;
    let told = Told::read(request.into_inner())?;
    let audit = Audit {
        after: match &told {
            Told::Report(report) => json!({ "notification": report.notification }),
            Told::Seen { id, .. } => json!({ "notification": id }),
        },
        ..Audit::now(caller.id, "bounce.report", told.object())
    };
    let take_in = app.db.run((told, audit), |tx, (told, audit)| {
        Box::pin(take_in(tx, told, audit))
    });
    let row = take_in.await?;
    Ok(ReportBounceResponse {
        notification: row.map(Row::wire).transpose()?,
    })
}

enum Told {
    Report(Report),
    Seen { id: Uuid, explanation: String },
}

impl Told {
    fn read(request: ReportBounceRequest) -> Result<Self, Error> {
        let about_one = !request.notification_id.is_empty() || !request.explanation.is_empty();
        match (request.report.is_empty(), about_one) {
            (false, false) if request.report.len() > REPORT_MAX_BYTES => {
                Err(Error::field("report", "must have up to 128 KiB"))
            }
            (false, false) => Report::read(request.report.as_bytes())
                .map(Self::Report)
                .ok_or_else(|| Error::field("report", "must be a returned mail (RFC 3464)")),
            (true, true) => {
                let absent = |_| Error::NotFound("notification");
                let id: NotificationId = request.notification_id.parse().map_err(absent)?;
                Ok(Self::Seen {
                    id: id.uuid(),
                    explanation: read_note("explanation", &request.explanation)?,
                })
            }
            _ => Err(Error::field(
                "report",
                "must stand alone, or notification_id and explanation without it",
            )),
        }
    }

    fn object(&self) -> String {
        match self {
            Self::Report(report) => base::hex(&report.digest),
            Self::Seen { id, .. } => id.to_string(),
        }
    }
}

async fn take_in(tx: &mut PgConnection, told: &Told, audit: &Audit) -> Result<Option<Row>, Error> {
    let bounced = match told {
        Told::Report(report) => bounce::apply(tx, report).await?,
        Told::Seen { id, explanation } => Some(seen(tx, *id, explanation).await?),
    };
    store::audit(tx, audit).await?;
    match bounced {
        Some(id) => store::find(tx, id).await,
        None => Ok(None),
    }
}

async fn seen(tx: &mut PgConnection, id: Uuid, explanation: &str) -> Result<Uuid, Error> {
    if let Some(id) = bounce::bounce(tx, id, explanation).await? {
        return Ok(id);
    }
    match store::find(tx, id).await? {
        // A repeat.
        Some(row) if row.status == "bounced" => Ok(id),
        Some(_) => Err(Error::NotificationNotOpen),
        None => Err(Error::NotFound("notification")),
    }
}
