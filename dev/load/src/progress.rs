//! What a person sees meanwhile.

use indicatif::{ProgressBar, ProgressStyle};

/// One line: which workload, what it does, how far it is.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new(1);
        let style = ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {prefix}: {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_position(0);
        Self(bar)
    }

    /// A workload begins, in so many steps.
    pub fn begin(&self, name: &str, steps: usize) {
        self.0.set_prefix(name.to_owned());
        self.0.set_length(steps as u64);
        self.0.set_position(0);
    }

    /// The next step, in words. Without a terminal it is a line of its own.
    pub fn step(&self, what: impl Into<String>) {
        let what = what.into();
        if self.0.is_hidden() {
            eprintln!("{}: {what}", self.0.prefix());
        }
        self.0.set_message(what);
        self.0.inc(1);
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.0.is_hidden() {
            eprintln!("{line}");
        } else {
            self.0.println(line);
        }
    }
}
