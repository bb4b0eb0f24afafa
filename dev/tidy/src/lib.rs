//! How the rules in `tests/tidy` read the project: its files, its Rust code line by line, and its
//! crates as cargo sees them. The code is formatted by rustfmt, so indentation tells where an item
//! ends, and no parser is needed.

pub mod access;
mod crates;
mod finding;
mod project;
mod rust;

pub use crates::{Crate, Kind, crates};
pub use finding::{Finding, demand};
pub use project::{File, Project};
pub use rust::{Function, Line, code_lines, functions, lines};
