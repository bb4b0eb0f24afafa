use std::sync::Once;
use tracing_subscriber::EnvFilter;

/// Shows the logs of a test on its captured output, filtered by `RUST_LOG` (nothing when it is unset).
/// May be called from every test; only the first call does anything.
pub fn logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
        // A test that set its own subscriber keeps it.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_test_writer()
            .try_init();
    });
}
