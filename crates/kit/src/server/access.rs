//! The access rules of the contracts, checked before a handler runs: which member calls, and for
//! methods of admins, whose token came along.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use proto::{Audience, Peer, Policy};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Admin, Grants, VerifyToken, observe::observe};
use crate::{CallContext, Code, ErrorReason, Failure, Trust};

/// Open to whoever can connect: they say nothing of the business.
const OPEN_PREFIXES: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];

#[derive(Clone)]
pub(super) struct AccessLayer {
    peer: Peer,
    trust: Trust,
    verifier: Option<Arc<dyn VerifyToken>>,
}

impl AccessLayer {
    pub(super) fn new(peer: Peer, trust: Trust, verifier: Option<Arc<dyn VerifyToken>>) -> Self {
        Self {
            peer,
            trust,
            verifier,
        }
    }

    /// Who calls, and for whom. None where no admin is involved.
    async fn check(
        &self,
        caller: Option<Peer>,
        request: &http::request::Parts,
    ) -> Result<Option<Admin>, Failure> {
        let path = request.uri.path();
        if OPEN_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            return Ok(None);
        }
        let policy = proto::policy(path).ok_or_else(|| Failure::not_found("method"))?;
        check_caller(policy, caller)?;
        match policy.audience {
            Audience::Guest | Audience::Internal => Ok(None),
            Audience::Admin | Audience::Superadmin => {
                let admin = self.check_admin(request).await?;
                check_rank(&admin, policy.audience)?;
                check_scope(&admin, policy)?;
                Ok(Some(admin))
            }
        }
    }

    async fn check_admin(&self, request: &http::request::Parts) -> Result<Admin, Failure> {
        let header = request
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        match (token, &self.verifier) {
            (Some(token), Some(verifier)) => verifier.verify(token).await,
            _ => Err(Failure::refused(
                Code::Unauthenticated,
                ErrorReason::Unauthenticated,
                "This needs an access token.",
            )),
        }
    }
}

fn check_caller(policy: &Policy, caller: Option<Peer>) -> Result<(), Failure> {
    if caller.is_some_and(|peer| policy.callers.contains(&peer)) {
        return Ok(());
    }
    Err(Failure::refused(
        Code::PermissionDenied,
        ErrorReason::CallerNotAllowed,
        "This member of the mesh may not call this method.",
    ))
}

/// What the call says of itself. An operator is a person, who could name any address: what they do with an
/// admin's token is on record without one.
fn context(caller: Option<Peer>, headers: &HeaderMap) -> CallContext {
    let mut context = CallContext::from_headers(headers);
    if caller.is_none_or(|peer| peer == Peer::Operator) {
        context.client = None;
    }
    context
}

fn check_rank(admin: &Admin, audience: Audience) -> Result<(), Failure> {
    if audience == Audience::Superadmin && !admin.superadmin {
        let detail = "Only a superadmin may do this.";
        let (code, reason) = (Code::PermissionDenied, ErrorReason::PermissionDenied);
        return Err(Failure::refused(code, reason, detail));
    }
    Ok(())
}

fn check_scope(admin: &Admin, policy: &Policy) -> Result<(), Failure> {
    if admin.scopes.allow(policy) {
        return Ok(());
    }
    let detail = "This API key is not good for that.";
    let (code, reason) = (Code::PermissionDenied, ErrorReason::PermissionDenied);
    Err(Failure::refused(code, reason, detail))
}

impl<S> Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessService {
            inner,
            rules: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(super) struct AccessService<S> {
    inner: S,
    rules: AccessLayer,
}

impl<S> Service<Request<Body>> for AccessService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The instance that was polled ready serves; its clone waits for the next call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let rules = self.rules.clone();
        let member = rules.peer.name();
        let path = request.uri().path().to_owned();
        let (mut parts, body) = request.into_parts();
        let caller = rules.trust.caller(&parts);
        let context = context(caller, &parts.headers);
        let work = async move {
            match rules.check(caller, &parts).await {
                Ok(Some(admin)) => {
                    parts.extensions.insert(admin);
                    if let Some(policy) = proto::policy(parts.uri.path()) {
                        parts.extensions.insert(Grants(policy.grants));
                    }
                }
                Ok(None) => {}
                Err(failure) => return Ok(failure.into_status().into_http()),
            }
            inner.call(Request::from_parts(parts, body)).await
        };
        // Health checks would bury what they accompany.
        if OPEN_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
            return Box::pin(work);
        }
        Box::pin(async move { observe(member, &path, context, work).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_superadmins_is_closed_to_admins() {
        let id = base::UserId::from(uuid::Uuid::max());
        let (admin, superadmin) = (Admin::new(id, false), Admin::new(id, true));
        let refused = check_rank(&admin, Audience::Superadmin).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::PermissionDenied);
        assert!(check_rank(&admin, Audience::Admin).is_ok());
        assert!(check_rank(&superadmin, Audience::Superadmin).is_ok());
    }

    #[test]
    fn an_operator_names_no_client() {
        let mut headers = HeaderMap::new();
        headers.insert(crate::context::CLIENT_HEADER, "192.0.2.1".parse().unwrap());
        headers.insert("grpc-timeout", "2S".parse().unwrap());
        for peer in Peer::ALL {
            let context = context(Some(peer), &headers);
            assert_eq!(context.client.is_some(), peer != Peer::Operator, "{peer:?}");
            assert!(context.deadline.is_some());
        }
        assert_eq!(context(None, &headers).client, None);
    }

    #[test]
    fn a_key_is_good_for_its_scopes_only() {
        let id = base::UserId::from(uuid::Uuid::max());
        let key = Admin::new(id, true).within(proto::Scopes::of_words("orders:read"));
        let rule = |path| proto::policy(path).unwrap();
        let orders = rule("/boxoffice.payment.v1.OrderAdminService/ListOrders");
        assert!(check_scope(&key, orders).is_ok());
        let accounts = rule("/boxoffice.user.v1.AccountAdminService/ListAccounts");
        let refused = check_scope(&key, accounts).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::PermissionDenied);
        assert!(check_scope(&Admin::new(id, true), accounts).is_ok());
    }
}
