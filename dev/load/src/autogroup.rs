//! Linux can share its cores between sessions in place of threads. Each backend of PostgreSQL is a session of its own and
//! then gets as much as the whole box office, and a niceness counts for nothing outside of its session. What runs in
//! a control group (a container, most services) is not shared like that, and neither is anything here.

use std::{fs, path::Path};

const SWITCH: &str = "/proc/sys/kernel/sched_autogroup_enabled";

/// Cores are shared between threads as long as this lives, if this program may decide that.
pub struct Autogroup {
    is_ours: bool,
}

impl Autogroup {
    pub fn off() -> Self {
        let is_ours = is_on() && fs::write(SWITCH, "0").is_ok();
        if is_on() {
            eprintln!(
                "{SWITCH} is 1, which makes waits longer, and only root may change it: see docs/performance.md"
            );
        }
        Self { is_ours }
    }
}

impl Drop for Autogroup {
    fn drop(&mut self) {
        if self.is_ours && fs::write(SWITCH, "1").is_err() {
            eprintln!("{SWITCH} stays 0");
        }
    }
}

/// Between whom cores are shared, in a word.
pub fn shared_by() -> &'static str {
    if is_on() { "sessions" } else { "threads" }
}

fn is_on() -> bool {
    let switch = fs::read_to_string(Path::new(SWITCH)).unwrap_or_default();
    switch.trim() == "1"
}
