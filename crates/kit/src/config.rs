//! Settings come from the environment (or flags) and are parsed once, before a port is bound.

use std::process::exit;

/// `EX_USAGE` of sysexits.h: the settings make no sense.
pub const EXIT_USAGE: i32 = 64;
/// `EX_SOFTWARE` of sysexits.h: it started and failed.
pub const EXIT_FAILURE: i32 = 70;

/// Parses the settings of a service. Nonsense ends the process with 64, `--help` with 0.
pub fn parse_or_exit<C: clap::Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
        // Nothing is left to report to if the terminal is gone.
        let _ = error.print();
        exit(code)
    })
}
