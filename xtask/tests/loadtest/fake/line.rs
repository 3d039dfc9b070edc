//! What waits to be written to one client, each frame until its time.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// A queue of frames, in order.
#[derive(Default)]
pub(super) struct Line {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// In the order in which they are due.
    frames: VecDeque<(Instant, Vec<u8>)>,
    /// When the last of those is due that keep their order.
    last: Option<Instant>,
    /// Nothing is added any more.
    silent: bool,
    /// The connection ends behind the last frame.
    closed: bool,
}

impl Line {
    /// Adds a frame that is due now.
    pub(super) fn send(&self, frame: Vec<u8>) {
        self.send_at(Instant::now(), frame);
    }

    /// Adds a frame that is due at `due`, and not before those that were added so far.
    pub(super) fn send_at(&self, due: Instant, frame: Vec<u8>) {
        let mut queue = self.queue.lock().unwrap();
        let due = queue.last.map_or(due, |last| due.max(last));
        queue.last = Some(due);
        queue.add(due, frame);
        self.changed.notify_one();
    }

    /// Adds a frame that is due at `due`, whatever else waits.
    pub(super) fn send_apart(&self, due: Instant, frame: Vec<u8>) {
        self.queue.lock().unwrap().add(due, frame);
        self.changed.notify_one();
    }

    /// Takes nothing any more; the connection stays open.
    pub(super) fn fall_silent(&self) {
        self.queue.lock().unwrap().silent = true;
    }

    /// Ends the connection once what waits is written.
    pub(super) fn close(&self) {
        self.queue.lock().unwrap().closed = true;
        self.changed.notify_one();
    }

    /// Writes what is due until the line is closed.
    pub(super) fn write_to(&self, mut stream: TcpStream, in_pieces: bool) {
        let mut queue = self.queue.lock().unwrap();
        loop {
            let now = Instant::now();
            let count = queue.frames.iter().take_while(|(due, _)| *due <= now).count();
            if count > 0 {
                let frames: Vec<_> = queue.frames.drain(..count).map(|(_, frame)| frame).collect();
                drop(queue);
                if write(&mut stream, &frames, in_pieces).is_err() {
                    // The client has gone: that is its right.
                    return self.close();
                }
                queue = self.queue.lock().unwrap();
                continue;
            }
            queue = match queue.frames.front() {
                Some(&(due, _)) => self.changed.wait_timeout(queue, due - now).unwrap().0,
                None if queue.closed => return super::hang_up(&stream),
                None => self.changed.wait(queue).unwrap(),
            };
        }
    }
}

impl Queue {
    fn add(&mut self, due: Instant, frame: Vec<u8>) {
        if !self.silent && !self.closed && !frame.is_empty() {
            let place = self.frames.partition_point(|&(other, _)| other <= due);
            self.frames.insert(place, (due, frame));
        }
    }
}

fn write(stream: &mut TcpStream, frames: &[Vec<u8>], in_pieces: bool) -> std::io::Result<()> {
    if !in_pieces {
        return stream.write_all(&frames.concat());
    }
    for frame in frames {
        let (first, second) = frame.split_at(frame.len() / 2);
        stream.write_all(first)?;
        // Lets the reader see the first piece alone, now and then.
        std::thread::yield_now();
        stream.write_all(second)?;
    }
    Ok(())
}
