//! The pool with the hooks that keep one guest's trouble from becoming another's, and the two doors to it:
//! [`Db::run`] for changes, [`Db::read`] for answers.

mod attempt;
mod config;
mod error;
mod measure;
mod migrate;
mod pool;
mod probe;
mod server;
mod session;
mod tracker;

pub use config::DbConfig;
pub use error::{AsDbError, ConstraintKind, DbError};
pub use migrate::{MigrationError, migrate, wait_for_migrations};
pub use pool::Db;
