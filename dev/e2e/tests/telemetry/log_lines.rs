//! Every log line of the process, more of them than an operator usually asks for.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter, prelude::*};

/// All that our own crates say, and what libraries say by default.
const FILTER: &str = "info,sqlx=debug,gateway=trace,kit=trace,db=trace,events=trace,auth=trace,\
    user_svc=trace,ticket_svc=trace,payment_svc=trace,notify_svc=trace,boxoffice=trace";

#[derive(Clone, Default)]
pub struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Must come before anything else that starts logs.
    pub fn capture() -> Self {
        let lines = Self::default();
        let json = fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(lines.clone())
            .with_filter(EnvFilter::new(FILTER));
        tracing_subscriber::registry()
            .with(kit::telemetry::spans())
            .with(json)
            .init();
        lines
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn every_line_of_a_call_has_its_trace(&self) {
        let text = self.text();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let of_calls: Vec<_> = lines
            .iter()
            .filter(|line| line["span"].is_object())
            .collect();
        assert!(!of_calls.is_empty(), "no call said anything");
        for line in of_calls {
            let trace_id = line["span"]["trace_id"].as_str().unwrap_or_default();
            assert_eq!(trace_id.len(), 32, "{line}");
        }
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
