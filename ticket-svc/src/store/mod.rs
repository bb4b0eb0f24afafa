//! Statements that two or more operations use.

pub mod audit;
pub mod catalog;
pub mod changes;
pub mod dead_holds;
pub mod grants;
pub mod guests;
pub mod halts;
pub mod holds;
pub mod keys;
pub mod ledger;
pub mod orders;
pub mod pools;
pub mod stock;

/// A stored word of a closed list.
pub fn known<T>(value: Option<T>) -> T {
    value.expect("invariant: a CHECK of the schema lists the words that the domain knows")
}
