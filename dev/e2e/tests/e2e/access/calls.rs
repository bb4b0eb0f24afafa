//! gRPC: who may call, and for whom.

use std::collections::BTreeMap;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use kit::{ErrorReason, Failure, MeshKey};
use proto::{Audience, POLICIES, Peer};
use sqlx::{Connection as _, PgConnection};
use tonic::{
    Request, Status,
    body::Body,
    client::{Grpc, GrpcService},
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Endpoint,
};

use super::{
    Row, demand, methods,
    people::{ADMINS, House},
    samples::message,
};

/// Messages as they are: what is in them is for others to judge.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        Ok(Some(bytes.to_vec()))
    }
}

/// The first message of the answer; empty if there is none.
async fn ask<S>(
    service: S,
    path: &'static str,
    request: Request<Vec<u8>>,
) -> Result<Vec<u8>, Status>
where
    S: GrpcService<Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error:
        Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut grpc = Grpc::new(service);
    grpc.ready()
        .await
        .map_err(|_| Failure::internal("not ready").into_status())?;
    let answer = grpc.server_streaming(request, PathAndQuery::from_static(path), Raw);
    let mut answer = answer.await?.into_inner();
    Ok(answer.message().await?.unwrap_or_default())
}

struct Doors {
    key: MeshKey,
    urls: Vec<(Peer, String)>,
}

impl Doors {
    async fn of(house: &House) -> Self {
        let mesh = house.office.mesh.lock().await;
        let flags = mesh.flags(Peer::Ticket);
        let key = flags
            .iter()
            .find_map(|flag| flag.strip_prefix("--mesh-key="));
        let services = [Peer::User, Peer::Ticket, Peer::Payment, Peer::Notify];
        let url = |peer| (peer, format!("http://{}", mesh.addr(peer)));
        Self {
            key: key.unwrap().parse().unwrap(),
            urls: services.map(url).into(),
        }
    }

    /// Where the method is answered; those of the record and of the status by all.
    fn urls(&self, path: &str) -> Vec<&str> {
        let package = path.split('.').nth(1).unwrap();
        let own = format!("{package}-svc");
        let urls = self.urls.iter();
        urls.filter(|(peer, _)| matches!(package, "audit" | "status") || peer.name() == own)
            .map(|(_, url)| url.as_str())
            .collect()
    }

    async fn call(
        &self,
        (url, path): (&str, &'static str),
        peer: Option<Peer>,
        token: Option<&str>,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, ErrorReason> {
        let mut request = Request::new(message);
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        let answer = match peer {
            Some(peer) => {
                let channel = kit::client::channel(url, self.key.identity(peer)).unwrap();
                ask(channel, path, request).await
            }
            None => {
                let channel = Endpoint::from_shared(url.to_owned())
                    .unwrap()
                    .connect_lazy();
                ask(channel, path, request).await
            }
        };
        answer.map_err(|status| {
            let failure = Failure::from_status(&status);
            assert_ne!(
                status.code(),
                tonic::Code::Unimplemented,
                "{path} is answered by nobody"
            );
            failure.reason
        })
    }
}

fn rows() -> Vec<(&'static proto::Policy, Row)> {
    let rows = methods();
    assert_eq!(rows.len(), POLICIES.len(), "a row for each method");
    let policy = |row: Row| {
        (
            proto::policy(&row.name).expect("a method of the contracts"),
            row,
        )
    };
    rows.into_iter().map(policy).collect()
}

#[tokio::test]
async fn a_method_is_open_to_the_members_of_its_row_and_to_nobody_else() {
    let house = House::build().await;
    let doors = Doors::of(&house).await;
    let mut differences = Vec::new();
    for (policy, row) in rows() {
        let open: Vec<&str> = row.cells[0].split(", ").collect();
        for url in doors.urls(policy.path) {
            for peer in [None].into_iter().chain(Peer::ALL.map(Some)) {
                let answer = doors.call((url, policy.path), peer, None, Vec::new()).await;
                let enters = answer != Err(ErrorReason::CallerNotAllowed);
                let name = peer.map_or("nobody", Peer::name);
                if enters != open.contains(&name) {
                    differences.push(format!("{} by {name}: {answer:?}", policy.path));
                }
            }
        }
    }
    demand("members", &differences);
    house.office.close().await;
}

/// What happened, in the words of the page. Only where a grant is asked for is what is absent foreign.
fn word(
    policy: &proto::Policy,
    expected: &str,
    answer: &Result<Vec<u8>, ErrorReason>,
) -> &'static str {
    let is_of_guests = policy.audience == Audience::Guest;
    match answer {
        // A guest's own proof, which is in the message, is another matter.
        Err(ErrorReason::Unauthenticated) if !is_of_guests => "401",
        Err(ErrorReason::PermissionDenied) => "403",
        Err(ErrorReason::NotFound) if !policy.grants.is_empty() => "404",
        // Whatever the door is, it was not tried.
        Err(
            ErrorReason::Internal
            | ErrorReason::Unspecified
            | ErrorReason::Unavailable
            | ErrorReason::Overloaded
            | ErrorReason::OutcomeUnknown
            | ErrorReason::TooManyRequests,
        ) => "no answer",
        Ok(bytes) if bytes.is_empty() && expected == "none" => "none",
        _ => "yes",
    }
}

#[test]
fn a_service_that_fails_opens_no_door() {
    let policy = &POLICIES[0];
    for failed in [
        ErrorReason::Internal,
        ErrorReason::Unavailable,
        ErrorReason::Overloaded,
    ] {
        assert_eq!(word(policy, "yes", &Err(failed)), "no answer");
    }
    assert_eq!(word(policy, "yes", &Err(ErrorReason::SoldOut)), "yes");
}

#[tokio::test]
async fn a_method_does_for_people_what_its_row_says() {
    let house = House::build().await;
    let doors = Doors::of(&house).await;
    let mut rows = rows();
    // What closed doors are tried with is still there when open ones are tried, and sessions end last. A mail
    // comes back before somebody looks after it, and a concert is cancelled when all else was done with it.
    rows.sort_by_key(|(policy, _)| {
        let is = |method| policy.path.ends_with(method);
        (
            is_of_accounts(policy),
            is("/CancelEvent"),
            !is("/ReportBounce"),
        )
    });
    let mut tokens = Vec::new();
    for who in ADMINS {
        tokens.push(house.token(who).await);
    }
    let mut differences = Vec::new();
    let mut deeds = Deeds::default();
    for is_open in [false, true] {
        for (policy, row) in &rows {
            for (column, expected) in row.cells[1..].iter().enumerate() {
                if (expected == "yes") != is_open {
                    continue;
                }
                let token = match column.checked_sub(1) {
                    None => None,
                    // What it does to the session harms no other try.
                    Some(admin) if is_of_accounts(policy) => Some(house.token(ADMINS[admin]).await),
                    Some(admin) => Some(tokens[admin].clone()),
                };
                let before = deeds.before(&house, policy).await;
                let answers = knock(&house, &doors, policy, token.as_deref()).await;
                let is_done = answers.iter().any(Result::is_ok);
                deeds.after(&house, policy, (before, is_done)).await;
                let is_list = row.cells.iter().any(|cell| cell == "none");
                for answer in answers {
                    let word = word(policy, expected, &answer);
                    // What an event has on record, notify-svc may have nothing of.
                    let shows = !answer.as_ref().is_ok_and(Vec::is_empty) || is_record(policy);
                    if word != expected || word == "yes" && is_list && !shows {
                        let who = column
                            .checked_sub(1)
                            .map_or("no token", |admin| ADMINS[admin]);
                        let path = policy.path;
                        differences.push(format!("{path} by {who}: {expected}, got {answer:?}"));
                    }
                }
            }
        }
    }
    differences.extend(deeds.unrecorded());
    demand("people", &differences);
}

fn is_of_accounts(policy: &proto::Policy) -> bool {
    policy.path.starts_with("/boxoffice.user.")
}

fn is_record(policy: &proto::Policy) -> bool {
    policy.path.starts_with("/boxoffice.audit.")
}

/// Everywhere that the method is answered. What accounts did themselves is in no event, so user-svc is not
/// asked for its record.
async fn knock(
    house: &House,
    doors: &Doors,
    policy: &'static proto::Policy,
    token: Option<&str>,
) -> Vec<Result<Vec<u8>, ErrorReason>> {
    let of_accounts = doors.urls("/boxoffice.user.v1.");
    let mut answers = Vec::new();
    for url in doors.urls(policy.path) {
        if is_record(policy) && of_accounts.contains(&url) {
            continue;
        }
        let message = message(house, policy);
        let member = policy.callers.first().copied();
        answers.push(doors.call((url, policy.path), member, token, message).await);
    }
    answers
}

/// What cannot be done with what is in the house: it has no order or refund that waits for a person, nothing
/// that never sold, no halted pool, and accounts as they were made.
const NOT_DONE_HERE: [&str; 17] = [
    "BeginSecondFactor",
    "ChangePassword",
    "ConfirmPayment",
    "ConfirmSecondFactor",
    "DecideAccountRequest",
    "DeleteEvent",
    "DeleteTicketType",
    "DismissPoisonMessage",
    "RejectPayment",
    "RemoveSecondFactor",
    "ResetSecondFactor",
    "ResolveMismatch",
    "ResumePool",
    "RetryRefund",
    "RevokeApiKey",
    "RevokeSession",
    "SettleRefund",
];

/// Methods by which admins changed something, and whether that ever left an entry on record.
#[derive(Default)]
struct Deeds(BTreeMap<&'static str, bool>);

impl Deeds {
    /// How much is on record; none where nobody asks for a record.
    async fn before(&self, house: &House, policy: &proto::Policy) -> Option<i64> {
        if !is_deed(policy) {
            return None;
        }
        Some(entries(house, policy).await)
    }

    async fn after(&mut self, house: &House, policy: &proto::Policy, seen: (Option<i64>, bool)) {
        let (Some(before), true) = seen else { return };
        let grew = entries(house, policy).await > before;
        // A repeat changes nothing and needs no entry.
        *self.0.entry(policy.path).or_default() |= grew;
    }

    fn unrecorded(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for policy in POLICIES.iter().filter(|policy| is_deed(policy)) {
            let path = policy.path;
            let method = path.rsplit('/').next().unwrap();
            let difference = match (self.0.get(path), NOT_DONE_HERE.contains(&method)) {
                (Some(true), false) | (None, true) => continue,
                (Some(false), _) => "leaves nothing on record",
                (None, false) => "was done by nobody",
                (Some(true), true) => "can be done here",
            };
            differences.push(format!("{path} {difference}"));
        }
        differences
    }
}

fn is_deed(policy: &proto::Policy) -> bool {
    policy.mutates && matches!(policy.audience, Audience::Admin | Audience::Superadmin)
}

async fn entries(house: &House, policy: &proto::Policy) -> i64 {
    let databases = &house.office.databases;
    let database = match policy.path.split('.').nth(1) {
        Some("user") => &databases.users,
        Some("ticket") => &databases.tickets,
        Some("payment") => &databases.payments,
        _ => &databases.notifications,
    };
    let mut session = PgConnection::connect(&database.url).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM audit_log");
    count.fetch_one(&mut session).await.unwrap()
}
