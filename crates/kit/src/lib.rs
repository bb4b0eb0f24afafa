//! The process skeleton of every service: configuration, logs, servers, clients, deadlines, tracked
//! tasks, shutdown, and the one way from a failure to a `tonic::Status`.

mod admission;
mod bind;
pub mod client;
pub mod config;
mod context;
pub mod failpoint;
mod failure;
mod mesh;
mod resume;
mod server;
mod shutdown;
mod tasks;

pub use admission::Admission;
pub use bind::Bind;
pub use context::{CallContext, current, with_context};
pub use failure::{Failure, FieldProblem, fields};
pub use mesh::{MeshIdentity, MeshKey, MeshKeyError};
pub use resume::resume;
pub use server::{Admin, Server, ServerBuilder, UNREADY_HEADER, VerifyToken, admin};
pub use shutdown::Shutdown;
pub use tasks::Tasks;

pub use listen::Limits;
pub use proto::common::{Certainty, ErrorReason};
pub use telemetry::{self, TraceId, init_logs};
pub use tonic::Code;
