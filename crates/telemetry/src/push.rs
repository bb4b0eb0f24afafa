//! Metrics on their way to a collector: added up in memory, sent now and then by a thread of its own.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider as _},
};
use opentelemetry_otlp::{MetricExporter, WithExportConfig as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::{export, scrape::BUCKETS_SECS};

/// Must run within the runtime that is to carry the connection.
pub(crate) fn start(
    service: &'static str,
    endpoint: &str,
) -> anyhow::Result<(SdkMeterProvider, Instruments)> {
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        // Not the library's words: they repeat the address, and an address may hold a password.
        .map_err(|_| anyhow::anyhow!("the address of the collector is not usable"))?;
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .with_resource(export::resource(service))
        .build();
    let instruments = Instruments {
        meter: provider.meter("boxoffice"),
        counters: Mutex::default(),
        gauges: Mutex::default(),
        histograms: Mutex::default(),
    };
    Ok((provider, instruments))
}

/// The last metrics, under way.
pub(crate) struct Ending(mpsc::Receiver<bool>);

/// The SDK waits five seconds whatever it is told, so a thread of its own does.
pub(crate) fn stop(provider: SdkMeterProvider) -> Ending {
    let (done, ended) = mpsc::channel();
    let work = move || done.send(provider.shutdown().is_ok()).is_ok();
    // Without a thread the receiver hears of it at once: nothing was sent.
    drop(thread::Builder::new().spawn(work));
    Ending(ended)
}

impl Ending {
    /// Whether all was sent.
    pub(crate) fn wait(self, timeout: Duration) -> bool {
        self.0.recv_timeout(timeout).unwrap_or(false)
    }
}

/// OpenTelemetry's instruments by what is measured, for they are costly to make.
pub(crate) struct Instruments {
    meter: Meter,
    counters: Mutex<HashMap<Key, Arc<Count>>>,
    gauges: Mutex<HashMap<Key, Arc<Level>>>,
    histograms: Mutex<HashMap<Key, Arc<Spread>>>,
}

fn cached<K: Clone + Eq + Hash, V>(
    known: &Mutex<HashMap<K, Arc<V>>>,
    key: &K,
    make: impl FnOnce() -> V,
) -> Arc<V> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(one) = known.get(key) {
        return one.clone();
    }
    let one = Arc::new(make());
    known.insert(key.clone(), one.clone());
    one
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels()
        .map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned()))
        .collect()
}

impl Recorder for Instruments {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(cached(&self.counters, key, || Count {
            to: self.meter.u64_counter(key.name().to_owned()).build(),
            labels: labels(key),
            total: Mutex::new(0),
        }))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(cached(&self.gauges, key, || Level {
            to: self.meter.f64_gauge(key.name().to_owned()).build(),
            labels: labels(key),
            now: Mutex::new(0.0),
        }))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(cached(&self.histograms, key, || {
            let mut builder = self.meter.f64_histogram(key.name().to_owned());
            if key.name().ends_with("_seconds") {
                builder = builder.with_boundaries(BUCKETS_SECS.to_vec());
            }
            Spread {
                to: builder.build(),
                labels: labels(key),
            }
        }))
    }
}

struct Count {
    to: opentelemetry::metrics::Counter<u64>,
    labels: Vec<KeyValue>,
    total: Mutex<u64>,
}

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        *total = total.wrapping_add(value);
        self.to.add(value, &self.labels);
    }

    fn absolute(&self, value: u64) {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        self.to.add(value.saturating_sub(*total), &self.labels);
        *total = value.max(*total);
    }
}

/// OpenTelemetry's gauge is only ever set.
struct Level {
    to: opentelemetry::metrics::Gauge<f64>,
    labels: Vec<KeyValue>,
    now: Mutex<f64>,
}

impl Level {
    fn change(&self, to: impl FnOnce(f64) -> f64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = to(*now);
        self.to.record(*now, &self.labels);
    }
}

impl GaugeFn for Level {
    fn increment(&self, value: f64) {
        self.change(|now| now + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|now| now - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

struct Spread {
    to: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for Spread {
    fn record(&self, value: f64) {
        self.to.record(value, &self.labels);
    }
}
