//! Where a connection reads into. An idle one holds nothing: large buffers come from a pool and go back to it, and of a frame in pieces
//! only the pieces are kept.

use std::sync::Mutex;

use crate::sync::lock;

/// Bytes of a buffer of the pool: what one read takes at the most. As large as the relay's block that it is compared with, and
/// small enough for the second-level cache of most cores.
const READ_BYTES: usize = 256 << 10;

/// Buffers that are kept for later.
const POOLED_MAX: usize = 64;

/// A rest up to this size is moved to a buffer of its own, so that the large one can go back.
const REST_BYTES: usize = 8 << 10;

/// A rest up to this size is moved to the front for the sake of a larger read. A larger one stays where it is while it can.
const CHEAP_MOVE_BYTES: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl BufferPool {
    fn take(&self) -> Vec<u8> {
        let pooled = lock(&self.free).pop();
        pooled.unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    fn put(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() != READ_BYTES {
            return;
        }
        buffer.clear();
        let mut free = lock(&self.free);
        if free.len() < POOLED_MAX {
            free.push(buffer);
        }
    }
}

/// Bytes that were read and not handled.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// Handled up to here.
    start: usize,
}

impl ReadBuffer {
    /// What is to be handled.
    pub(super) fn unhandled(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// The buffer to read into, with room for the rest of a frame that takes `needed` bytes.
    pub(super) fn spare(&mut self, pool: &BufferPool, needed: usize) -> &mut Vec<u8> {
        let rest = self.bytes.len() - self.start;
        // More than half as much again: a frame whose length is not known ahead must not be copied for each of its pieces.
        let wanted = if needed > self.bytes.capacity() {
            needed.max(READ_BYTES).max(self.bytes.capacity() / 2 * 3)
        } else {
            READ_BYTES
        };
        if self.bytes.capacity() < wanted {
            let mut larger = if wanted == READ_BYTES { pool.take() } else { Vec::with_capacity(wanted) };
            larger.extend_from_slice(self.unhandled());
            pool.put(std::mem::replace(&mut self.bytes, larger));
            self.start = 0;
        } else if rest == 0 {
            self.bytes.clear();
            self.start = 0;
        } else if rest <= CHEAP_MOVE_BYTES
            || self.bytes.capacity() - self.start < needed
            || self.bytes.capacity() - self.bytes.len() < READ_BYTES / 4
        {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        &mut self.bytes
    }

    /// The connection may be idle for long: keeps no more than the rest.
    pub(super) fn park(&mut self, pool: &BufferPool) {
        if self.bytes.capacity() == 0 || self.unhandled().len() > REST_BYTES {
            return;
        }
        let rest = self.unhandled().to_vec();
        pool.put(std::mem::replace(&mut self.bytes, rest));
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_buffer_holds_the_rest_alone() {
        let pool = BufferPool::default();
        let mut buffer = ReadBuffer::default();
        buffer.spare(&pool, 0).extend_from_slice(b"done rest");
        buffer.consume(5);
        buffer.park(&pool);
        assert_eq!((buffer.unhandled(), buffer.bytes.capacity()), (&b"rest"[..], 4));
        buffer.spare(&pool, 0).extend_from_slice(b" more");
        assert_eq!(buffer.unhandled(), b"rest more");
        buffer.consume(9);
        buffer.park(&pool);
        assert_eq!(buffer.bytes.capacity(), 0);
        assert_eq!(pool.free.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_large_frame_gets_the_room_it_needs_and_no_pool_keeps_it() {
        let pool = BufferPool::default();
        let mut buffer = ReadBuffer::default();
        buffer.spare(&pool, 0).extend_from_slice(&[1; 100]);
        buffer.consume(60);
        let room = buffer.spare(&pool, 1 << 20);
        assert_eq!((room.len(), room.capacity()), (40, 1 << 20));
        buffer.consume(40);
        buffer.park(&pool);
        assert_eq!(pool.free.lock().unwrap().len(), 1, "the small one came back, the large one is gone");
    }

    #[test]
    fn a_full_buffer_is_compacted() {
        let pool = BufferPool::default();
        let mut buffer = ReadBuffer::default();
        buffer.spare(&pool, 0).resize(READ_BYTES, 7);
        buffer.consume(READ_BYTES - 10);
        let room = buffer.spare(&pool, 20);
        assert_eq!((room.len(), room.capacity()), (10, READ_BYTES));
    }
}
