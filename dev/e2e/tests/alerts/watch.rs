//! Prometheus, with a clock of its own: what has happened between two looks at the metrics is what happens in each
//! minute of the rules, for as long as an alert waits.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use testkit::eventually;

use crate::{
    look::{Look, Story},
    promtool::{self, Case},
};

/// In the time of a test, not of the rules.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longer than any rule looks back, and then waits.
const CALM_MINUTES: usize = 60;
const CALM_TRIES: usize = 5;
/// The same.
const OUTAGE_MINUTES: usize = 40;

/// What is watched, and which alerts have fired.
pub struct Watch {
    client: reqwest::Client,
    /// None: nobody tells Prometheus of a service.
    metrics: Mutex<Option<String>>,
    folder: PathBuf,
    fired: Mutex<BTreeSet<String>>,
}

impl Watch {
    pub fn of(metrics: String) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10));
        let folder = format!("boxoffice-alerts-{}", testkit::keys::idempotency_key());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            client: client.build().unwrap(),
            metrics: Mutex::new(Some(metrics)),
            folder,
            fired: Mutex::default(),
        }
    }

    /// From now on there is something else to ask, or nothing.
    pub fn ask(&self, metrics: Option<String>) -> Option<String> {
        let mut now = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut now, metrics)
    }

    pub fn fired(&self) -> BTreeSet<String> {
        self.fired.lock().unwrap().clone()
    }

    /// None of all alerts fires while this goes on for an hour. `life` must let the auditor look.
    pub async fn nothing_fires(&self, mut life: impl AsyncFnMut()) {
        let alerts = promtool::alerts();
        let alerts: Vec<&str> = alerts.keys().map(String::as_str).collect();
        self.calm(&alerts, &mut life).await;
    }

    /// Each of these alerts is silent while the box office is calm, and fires once its cause was brought about.
    pub async fn fires(&self, alerts: &[&str], cause: impl AsyncFnOnce()) {
        let mut cause = Some(cause);
        let cause = async |_| cause.take().unwrap()().await;
        self.fires_while(alerts, 1, cause).await;
    }

    /// The same for a cause of several looks. `cause` goes before each of them, with its number.
    pub async fn fires_while(
        &self,
        alerts: &[&str],
        looks: usize,
        mut cause: impl AsyncFnMut(usize),
    ) {
        let (mut story, mut last) = self.calm(alerts, &mut async || ()).await;
        for number in 0..looks {
            cause(number).await;
            let now = self.look().await;
            story.go_on(&last, &now, OUTAGE_MINUTES / looks);
            last = now;
        }
        let cases = alerts.iter().map(|alert| Case {
            alert,
            story: &story,
            calm_until: CALM_MINUTES,
            fires: true,
        });
        if let Err(told) = promtool::judge(cases.collect(), &self.folder) {
            panic!("{alerts:?}: {told}");
        }
        println!("{alerts:?} fire");
        let mut fired = self.fired.lock().unwrap();
        fired.extend(alerts.iter().map(|&alert| alert.to_owned()));
    }

    /// A time in which none of these alerts fires or is about to, and its last look. A busy machine may be slow by
    /// itself: then once more.
    async fn calm(&self, alerts: &[&str], life: &mut impl AsyncFnMut()) -> (Story, Look) {
        let mut told = String::new();
        for _ in 0..CALM_TRIES {
            let first = self.look().await;
            life().await;
            let last = self.audited_since(&first).await;
            let mut story = Story::begin(&first);
            story.go_on(&first, &last, CALM_MINUTES);
            let cases = alerts.iter().map(|alert| Case {
                alert,
                story: &story,
                calm_until: CALM_MINUTES,
                fires: false,
            });
            match promtool::judge(cases.collect(), &self.folder) {
                Ok(()) => return (story, last),
                Err(said) => told = said,
            }
        }
        panic!("in a calm box office: {told}");
    }

    /// Waits until a metric is so, in any of its series.
    pub async fn until(&self, metric: &str, is_so: impl Fn(f64) -> bool) {
        eventually(metric, PATIENCE, async || {
            let look = self.look().await;
            look.values(metric).into_iter().any(&is_so).then_some(())
        })
        .await;
    }

    pub async fn look(&self) -> Look {
        let metrics = self.metrics.lock().unwrap().clone();
        let Some(metrics) = metrics else {
            return Look::at_nothing();
        };
        match self.client.get(metrics).send().await {
            Ok(answer) => Look::at(&answer.text().await.unwrap()),
            Err(_) => Look::without_answer(),
        }
    }

    /// A look after the auditor has been round once more: that is what a calm minute always has.
    async fn audited_since(&self, before: &Look) -> Look {
        let rounds = |look: &Look| -> f64 {
            let rounds = look.values("pool_audit_round_seconds_count");
            rounds.into_iter().sum()
        };
        eventually("a round of the auditor", PATIENCE, async || {
            let now = self.look().await;
            (rounds(&now) > rounds(before)).then_some(now)
        })
        .await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // What promtool was asked is of use only where it said no.
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}
