//! Locks without poison: a panic elsewhere must not take the broker down with it, and nothing here leaves a lock with its invariant broken.
//!
//! The crate takes its locks and atomics from here and from nowhere else. They are the standard library's; with `--cfg shuttle` they are those of
//! shuttle, which decides at each of them what runs next: see `tests/schedules`. `Arc`, `Weak` and `OnceLock` stay the standard library's: nobody waits for them.

#[cfg(shuttle)]
use shuttle::sync as library;
#[cfg(not(shuttle))]
use std::sync as library;
use std::sync::PoisonError;

pub(crate) use library::{Mutex, MutexGuard, RwLock, atomic};
use library::{RwLockReadGuard, RwLockWriteGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
