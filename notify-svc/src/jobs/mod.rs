//! What goes on by itself: mails are sent, their leases renewed, what comes back is read, who had a code is
//! forgotten, and the state of the queue is measured.

mod compose;
mod doubt;
mod forget_readers;
mod handed_over;
mod lease;
mod measure;
mod outcome;
mod read_bounces;
mod room;
mod send_notifications;
mod settle;

use std::sync::Arc;

use kit::Tasks;

use crate::{Config, app::App};

pub(crate) fn start(tasks: &Tasks, app: &Arc<App>, config: &Config) -> anyhow::Result<()> {
    send_notifications::start(tasks, app.clone(), config)?;
    measure::start(tasks, app.clone());
    forget_readers::start(tasks, app.clone());
    if let Some(maildir) = &config.bounce_maildir {
        read_bounces::start(tasks, app.clone(), maildir.clone());
    }
    Ok(())
}
