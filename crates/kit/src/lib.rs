//! The process skeleton of every service: configuration, logs, servers, clients, deadlines, tracked
//! tasks, shutdown, and the one way from a failure to a `tonic::Status`.

mod admission;
pub mod client;
mod context;
pub mod failpoint;
mod failure;
mod member;
mod mesh;
mod resume;
mod server;
mod tasks;

pub use admission::Admission;
pub use context::{CallContext, current, with_context};
pub use failure::{Failure, FieldProblem, fields};
pub use member::{Member, MeshSettings, Trust, certified_name, is_this_machine};
pub use mesh::{MeshIdentity, MeshKey, MeshKeyError};
pub use resume::resume;
pub use server::{Admin, Server, ServerBuilder, VerifyToken, admin, grants};
pub use tasks::Tasks;

pub use listen::Limits;
pub use process::{Bind, Shutdown, UNREADY_HEADER, config};
pub use proto::common::{Certainty, ErrorReason};
pub use telemetry::{self, TraceId, init_logs};
pub use tonic::Code;
