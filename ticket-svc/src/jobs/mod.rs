//! Work that nobody asks for.

pub mod audit_pools;
pub mod expire_holds;
pub mod fold_traffic;
