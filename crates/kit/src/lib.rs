//! The process skeleton of every service: configuration, logs, servers, clients, deadlines, tracked
//! tasks, shutdown, and the one way from a failure to a `tonic::Status`.

mod bind;
pub mod client;
pub mod config;
mod context;
mod failure;
mod logs;
mod mesh;
mod server;
mod shutdown;
mod tasks;

pub use bind::Bind;
pub use context::{CallContext, TraceId, current, with_context};
pub use failure::{Failure, FieldProblem, fields};
pub use logs::init_logs;
pub use mesh::{MeshIdentity, MeshKey, MeshKeyError};
pub use server::{Admin, Server, ServerBuilder, VerifyToken, admin};
pub use shutdown::Shutdown;
pub use tasks::Tasks;

pub use proto::common::{Certainty, ErrorReason};
pub use tonic::Code;
