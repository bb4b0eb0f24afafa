//! The one recorder of the process: hands what is measured to all who want it. It is installed once
//! and outlives them, as the subscriber does the exporter of spans.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

pub(crate) type Sink = Arc<dyn Recorder + Send + Sync>;

/// Written at the start and the end of a process only, so a call never waits for it.
static SINKS: RwLock<Vec<Sink>> = RwLock::new(Vec::new());

/// Fails where the process has brought a recorder of its own.
pub(crate) fn add(sink: Sink) -> anyhow::Result<()> {
    static OURS: OnceLock<bool> = OnceLock::new();
    let ours = OURS.get_or_init(|| metrics::set_global_recorder(ToSinks).is_ok());
    anyhow::ensure!(*ours, "the process has another recorder of metrics");
    let mut sinks = SINKS.write().unwrap_or_else(PoisonError::into_inner);
    sinks.push(sink);
    Ok(())
}

pub(crate) fn remove(gone: &Sink) {
    let mut sinks = SINKS.write().unwrap_or_else(PoisonError::into_inner);
    sinks.retain(|sink| !Arc::ptr_eq(sink, gone));
}

fn each<T>(ask: impl Fn(&Sink) -> T) -> All<T> {
    let sinks = SINKS.read().unwrap_or_else(PoisonError::into_inner);
    All(sinks.iter().map(ask).collect())
}

struct ToSinks;

impl Recorder for ToSinks {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        each(|sink| sink.describe_counter(key.clone(), unit, text.clone()));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        each(|sink| sink.describe_gauge(key.clone(), unit, text.clone()));
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        each(|sink| sink.describe_histogram(key.clone(), unit, text.clone()));
    }

    fn register_counter(&self, key: &Key, about: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(each(|sink| sink.register_counter(key, about))))
    }

    fn register_gauge(&self, key: &Key, about: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(each(|sink| sink.register_gauge(key, about))))
    }

    fn register_histogram(&self, key: &Key, about: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(each(|sink| sink.register_histogram(key, about))))
    }
}

struct All<T>(Vec<T>);

impl CounterFn for All<Counter> {
    fn increment(&self, value: u64) {
        self.0.iter().for_each(|one| one.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.0.iter().for_each(|one| one.absolute(value));
    }
}

impl GaugeFn for All<Gauge> {
    fn increment(&self, value: f64) {
        self.0.iter().for_each(|one| one.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.0.iter().for_each(|one| one.decrement(value));
    }

    fn set(&self, value: f64) {
        self.0.iter().for_each(|one| one.set(value));
    }
}

impl HistogramFn for All<Histogram> {
    fn record(&self, value: f64) {
        self.0.iter().for_each(|one| one.record(value));
    }
}
