//! Whether the members of this process are ready, told to who asks on the private port: a supervisor
//! that has no certificate cannot ask the members themselves.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

type Ask = Box<dyn Fn() -> bool + Send + Sync>;

/// Written when a member starts or ends.
static MEMBERS: RwLock<Vec<(u64, Ask)>> = RwLock::new(Vec::new());

/// A member counts until this is dropped.
#[derive(Debug)]
#[must_use = "the member counts until it is dropped"]
pub struct Counted(u64);

/// `/readyz` asks this member too, from now on.
pub fn ready_when(ask: impl Fn() -> bool + Send + Sync + 'static) -> Counted {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut members = MEMBERS.write().unwrap_or_else(PoisonError::into_inner);
    members.push((number, Box::new(ask)));
    Counted(number)
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut members = MEMBERS.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|(number, _)| *number != self.0);
    }
}

/// All that are there say so. A process in which nobody serves yet is not ready.
pub(crate) fn is_ready() -> bool {
    let members = MEMBERS.read().unwrap_or_else(PoisonError::into_inner);
    !members.is_empty() && members.iter().all(|(_, ask)| ask())
}
