//! What a panic says in the log: where it happened. A message that was put together may hold whatever was at hand,
//! an address or a secret; only words that stand in the program itself are repeated.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic, thread,
};

/// From now on a panic is a line of the log like others, in place of what the standard library would print; with its
/// backtrace where `RUST_BACKTRACE` asks for one. For programs: in a test it would hide what was asserted.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let words = panic.payload().downcast_ref::<&'static str>();
        let backtrace = Backtrace::capture();
        let asked = backtrace.status() == BacktraceStatus::Captured;
        tracing::error!(
            place,
            words,
            thread = thread::current().name(),
            backtrace = asked.then(|| backtrace.to_string()),
            "a panic"
        );
    }));
}
