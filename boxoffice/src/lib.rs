//! The whole box office in one process.

mod backup;
mod certs;
mod cluster;
mod config;
pub mod doctor;
mod export;
mod facts;
mod flags;
mod keys;
mod log_files;
mod mesh;
mod reset;
mod run;
mod shells;

pub use backup::{Arguments as BackupArguments, backup, restore};
pub use certs::{Arguments as CertsArguments, certs};
pub use config::{Command, Config};
pub use export::{Arguments as ExportArguments, export};
pub use facts::{Facts, GrpcAddrs};
pub use keys::{Keys, OPERATOR_CREDENTIAL};
pub use log_files::make_log_files;
pub use mesh::{Databases, Mesh, MeshConfig};
pub use reset::reset;
pub use run::run;
pub use shells::completions;
