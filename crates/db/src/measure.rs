//! How busy the sessions are, for whoever watches: a pool with none left makes everybody wait.

use std::{sync::Arc, time::Duration};

use kit::Tasks;

use crate::{Db, session::Sessions};

const INTERVAL: Duration = Duration::from_secs(5);

impl Db {
    /// Tells how many sessions of the pool are there, how many of them are at work, and how many there may be.
    pub fn measure(&self, tasks: &Tasks, member: &'static str) {
        let Sessions::Pool(pool) = &self.sessions else {
            return;
        };
        let pool = pool.clone();
        tasks.job("measure_sessions", INTERVAL, Arc::default(), move || {
            let (open, idle) = (pool.size(), pool.num_idle());
            let idle = u32::try_from(idle).unwrap_or(u32::MAX);
            let all = pool.options().get_max_connections();
            for (state, count) in [("busy", open.saturating_sub(idle)), ("idle", idle)] {
                metrics::gauge!("db_sessions", "member" => member, "state" => state)
                    .set(f64::from(count));
            }
            metrics::gauge!("db_sessions_max", "member" => member).set(f64::from(all));
            async { Ok(false) }
        });
    }
}
