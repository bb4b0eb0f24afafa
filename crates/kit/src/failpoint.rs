//! Places where a test lets the process die, between two lines whose order matters. A debug build has them, what ships
//! does not.

/// Ends the process here as kill -9 would, if [`failpoint::arm`](crate::failpoint::arm) has named this point in it.
/// Without debug assertions nothing is left of it, not even its name.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::failpoint::pass($name);
    };
}

#[cfg(debug_assertions)]
static ARMED: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Lets this process die the first time it passes the point. Only for a process that a test has started to die: it
/// takes everything in it along, other tests too.
///
/// # Panics
/// When a point was armed before; nobody dies twice.
#[cfg(debug_assertions)]
pub fn arm(name: impl Into<String>) {
    let armed = ARMED.set(name.into());
    armed.expect("invariant: a process dies at one point");
}

/// What the macro calls.
#[cfg(debug_assertions)]
#[doc(hidden)]
pub fn pass(name: &str) {
    if ARMED.get().is_some_and(|armed| armed == name) {
        eprintln!("dying at {name}");
        // No destructor runs and nothing is flushed, sockets are closed by the system.
        std::process::abort();
    }
}
