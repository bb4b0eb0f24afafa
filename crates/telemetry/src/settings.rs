use std::{net::SocketAddr, time::Duration};

/// What an operator may set. The `OTEL_*` names are those of the OpenTelemetry specification, where
/// an empty value is an unset one. Read by its SDK, without a line here: `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and `_ARG`, `OTEL_BSP_*`,
/// `OTEL_METRIC_EXPORT_INTERVAL`,
/// `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` and `_COMPRESSION`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Settings {
    /// Where metrics are served, as Prometheus text under /metrics; for a private network. /livez
    /// and /readyz beside them say whether the process is alive and ready. Unset: nowhere.
    #[arg(long, env)]
    pub metrics_addr: Option<SocketAddr>,

    /// gRPC address of an OTLP collector, for example http://127.0.0.1:4317. Unset: neither
    /// traces nor metrics go there.
    #[arg(long, env, hide_env_values = true)]
    pub otel_exporter_otlp_endpoint: Option<String>,

    /// The same for traces only; goes first.
    #[arg(long, env, hide_env_values = true)]
    pub otel_exporter_otlp_traces_endpoint: Option<String>,

    /// The same for metrics only; goes first.
    #[arg(long, env, hide_env_values = true)]
    pub otel_exporter_otlp_metrics_endpoint: Option<String>,

    /// `true` turns all of OpenTelemetry off.
    #[arg(long, env, default_value = "false")]
    pub otel_sdk_disabled: String,

    /// `otlp` or `none`.
    #[arg(long, env, default_value = "otlp")]
    pub otel_traces_exporter: String,

    /// A span that failed, or took at least so many milliseconds, is sent though the sampler
    /// (`OTEL_TRACES_SAMPLER`) left its trace out. 0: only what the sampler takes.
    #[arg(long, env, default_value_t = 1000)]
    pub traces_keep_slow_ms: u64,

    /// `otlp` or `none`; what is served as Prometheus text is not asked.
    #[arg(long, env, default_value = "otlp")]
    pub otel_metrics_exporter: String,

    /// `tracecontext` reads and writes the header `traceparent`; `none` does neither.
    #[arg(long, env, default_value = "tracecontext")]
    pub otel_propagators: String,
}

impl Settings {
    /// Where spans go. None: nowhere.
    pub(crate) fn collector(&self) -> Option<&str> {
        let endpoint = self.endpoint(&self.otel_exporter_otlp_traces_endpoint)?;
        let exporters = &self.otel_traces_exporter;
        if !names(exporters, "otlp") && !names(exporters, "none") {
            tracing::warn!(
                exporters,
                "OTEL_TRACES_EXPORTER knows otlp and none; no traces"
            );
        }
        names(exporters, "otlp").then_some(endpoint)
    }

    /// Where metrics are sent. None: nowhere.
    pub(crate) fn metrics_collector(&self) -> Option<&str> {
        let endpoint = self.endpoint(&self.otel_exporter_otlp_metrics_endpoint)?;
        let exporters = &self.otel_metrics_exporter;
        if !names(exporters, "otlp") && !names(exporters, "none") {
            tracing::warn!(
                exporters,
                "OTEL_METRICS_EXPORTER knows otlp and none; no metrics are sent"
            );
        }
        names(exporters, "otlp").then_some(endpoint)
    }

    fn endpoint<'a>(&'a self, own: &'a Option<String>) -> Option<&'a str> {
        if self.otel_sdk_disabled.eq_ignore_ascii_case("true") {
            return None;
        }
        [own, &self.otel_exporter_otlp_endpoint]
            .into_iter()
            .flatten()
            .map(|url| url.trim())
            .find(|url| !url.is_empty())
    }

    /// How long a span takes that is kept beside the sample. None: none is.
    pub(crate) fn slow(&self) -> Option<Duration> {
        let slow = Duration::from_millis(self.traces_keep_slow_ms);
        (!slow.is_zero()).then_some(slow)
    }

    pub(crate) fn propagates(&self) -> bool {
        names(&self.otel_propagators, "tracecontext")
    }
}

/// Whether a list has the name. An empty list is unset, and the default of both lists has it.
fn names(list: &str, name: &str) -> bool {
    let mut words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .peekable();
    (words.peek().is_none() && name != "none") || words.any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings {
            otel_exporter_otlp_endpoint: Some("http://collector:4317".to_owned()),
            ..Settings::default()
        };
        change(&mut settings);
        settings
    }

    #[test]
    fn spans_go_to_the_endpoint_unless_a_switch_is_off() {
        assert_eq!(with(|_| {}).collector(), Some("http://collector:4317"));
        assert_eq!(
            with(|s| s.otel_sdk_disabled = "TRUE".to_owned()).collector(),
            None
        );
        assert_eq!(
            with(|s| s.otel_traces_exporter = "none".to_owned()).collector(),
            None
        );
        assert_eq!(
            with(|s| s.otel_traces_exporter = "zipkin".to_owned()).collector(),
            None
        );
        assert!(
            with(|s| s.otel_traces_exporter = "console, otlp".to_owned())
                .collector()
                .is_some()
        );
        assert_eq!(
            with(|s| s.otel_exporter_otlp_endpoint = Some(" ".to_owned())).collector(),
            None
        );
        let own = with(|s| s.otel_exporter_otlp_traces_endpoint = Some("http://traces".to_owned()));
        assert_eq!(own.collector(), Some("http://traces"));
    }

    #[test]
    fn only_tracecontext_propagates() {
        for (list, yes) in [
            ("", true),
            ("tracecontext,baggage", true),
            ("none", false),
            ("b3", false),
        ] {
            let settings = with(|s| s.otel_propagators = list.to_owned());
            assert_eq!(settings.propagates(), yes, "{list}");
        }
    }
}
