//! What orders can be paid with, remembered for a minute.

use std::{future::Future, time::Duration};

use kit::Failure;
use proto::payment::ListProvidersRequest;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::{app::App, rest::types::PaymentProvider, retries};

/// A provider that was switched on or off is seen after this time.
const FRESH: time::Duration = time::Duration::seconds(60);
/// While payment-svc is away it is not asked more often than this.
const PAUSE: time::Duration = time::Duration::seconds(5);
/// Pages wait no longer for what they can do without.
const PATIENCE: Duration = Duration::from_secs(1);

/// The list, the default first, as it was last told. While payment-svc is away it stays as it was,
/// or empty: the concert's page works without it, and the service itself says what an order takes.
#[derive(Debug, Default)]
pub struct Providers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    list: Vec<PaymentProvider>,
    ask_again_at: Option<OffsetDateTime>,
}

impl Providers {
    /// What an event takes of it, in the event's order; everything where the event does not say.
    pub async fn of_event(&self, app: &App, names: &[String]) -> Vec<PaymentProvider> {
        chosen(self.list(app.sources.now(), || ask(app)).await, names)
    }

    /// The names with their titles; a name that is not known any more keeps itself.
    pub async fn titled(&self, app: &App, names: &[String]) -> Vec<PaymentProvider> {
        let known = self.list(app.sources.now(), || ask(app)).await;
        let titled = |name: &String| {
            let found = known.iter().find(|provider| provider.name == *name);
            found.cloned().unwrap_or_else(|| PaymentProvider {
                name: name.clone(),
                title: name.clone(),
            })
        };
        names.iter().map(titled).collect()
    }

    /// One asks at a time; the others wait for its answer.
    async fn list<F>(&self, now: OffsetDateTime, ask: impl FnOnce() -> F) -> Vec<PaymentProvider>
    where
        F: Future<Output = Result<Vec<PaymentProvider>, Failure>>,
    {
        let mut known = self.0.lock().await;
        if known.ask_again_at.is_none_or(|at| at <= now) {
            match ask().await {
                Ok(list) => {
                    known.list = list;
                    known.ask_again_at = Some(now + FRESH);
                }
                Err(failure) => {
                    let reason = failure.reason.word();
                    tracing::warn!(reason, "the payment providers cannot be listed");
                    known.ask_again_at = Some(now + PAUSE);
                }
            }
        }
        known.list.clone()
    }
}

/// What an event takes of the list, in the event's order; everything where it names nothing.
pub fn chosen(list: Vec<PaymentProvider>, names: &[String]) -> Vec<PaymentProvider> {
    if names.is_empty() {
        return list;
    }
    let of_list = |name: &String| list.iter().find(|provider| provider.name == *name).cloned();
    names.iter().filter_map(of_list).collect()
}

async fn ask(app: &App) -> Result<Vec<PaymentProvider>, Failure> {
    let mut orders = app.upstreams.orders();
    // The tries of the request are for what it cannot do without.
    let answer = retries::within(false, orders.list_providers(ListProvidersRequest {}));
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    let answer = answer.map_err(|_elapsed| Failure::outcome_unknown())?;
    let found = answer.map_err(|status| Failure::from_status(&status))?;
    let providers = found.into_inner().providers.into_iter();
    Ok(providers.map(PaymentProvider::from).collect())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn provider(name: &str) -> PaymentProvider {
        PaymentProvider {
            name: name.to_owned(),
            title: name.to_uppercase(),
        }
    }

    #[tokio::test]
    async fn it_is_asked_once_a_minute_and_kept_while_nobody_answers() {
        let providers = Providers::default();
        let start = datetime!(2027-06-01 18:00 UTC);
        let at = |seconds| start + time::Duration::seconds(seconds);
        let none: Vec<PaymentProvider> = Vec::new();
        let away = async || Err(Failure::outcome_unknown());
        let unasked = async || panic!("asked too soon");
        let now = |name: &'static str| async move || Ok(vec![provider(name)]);

        assert_eq!(providers.list(at(0), away).await, none);
        assert_eq!(providers.list(at(4), unasked).await, none);
        assert_eq!(providers.list(at(5), now("a")).await, [provider("a")]);
        assert_eq!(providers.list(at(64), unasked).await, [provider("a")]);
        assert_eq!(providers.list(at(65), away).await, [provider("a")]);
        assert_eq!(providers.list(at(70), now("b")).await, [provider("b")]);
    }

    #[test]
    fn an_event_takes_what_it_names_and_is_there() {
        let list = || vec![provider("a"), provider("b")];
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(list(), &[]), list());
        assert_eq!(
            chosen(list(), &names(&["b", "gone", "a"])),
            [provider("b"), provider("a")]
        );
    }
}
