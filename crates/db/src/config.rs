use std::fmt;
use std::time::Duration;

/// How to reach one service's database, and how much of it to use.
#[derive(Clone)]
pub struct DbConfig {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// What `pg_stat_activity` shows: the service's name.
    pub application_name: String,
    /// Sessions at most; 3 per core by default.
    pub max_connections: u32,
    /// How long a caller of `run` waits before it hears `Timeout`; 8 s by default.
    pub run_deadline: Duration,
    /// The same for `read`; 2 s by default.
    pub read_deadline: Duration,
}

impl DbConfig {
    pub fn new(url: impl Into<String>, application_name: impl Into<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            url: url.into(),
            application_name: application_name.into(),
            max_connections: u32::try_from(cores).unwrap_or(u32::MAX).clamp(2, 32) * 3,
            run_deadline: Duration::from_secs(8),
            read_deadline: Duration::from_secs(2),
        }
    }
}

/// The URL holds a password, so it is left out.
impl fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbConfig")
            .field("application_name", &self.application_name)
            .field("max_connections", &self.max_connections)
            .field("run_deadline", &self.run_deadline)
            .field("read_deadline", &self.read_deadline)
            .finish_non_exhaustive()
    }
}
