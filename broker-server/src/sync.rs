//! Locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. Nothing in this crate panics while it holds a lock, and each leaves its data whole at every step; so a poisoned lock, should there
/// ever be one, is as good as any other.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
