//! Work that nobody asks for.

pub mod expire_holds;
