//! Threads as the kernel shows them.
//!
//! Layer 4.  Plane: failure.
//!
//! A thread that cannot say that it has stopped may be seen where it cannot go on.

use core::ops::Range;

use crate::sys::library::c_library;
use crate::sys::signal::bit;
use crate::sys::stop::STOP;
use crate::sys::tasks::Task;

use super::page::Page;

/// What is known of a thread.
pub(super) enum Seen {
    /// It runs no instruction of the program any more.
    Stopped,
    /// It may, until it takes the signal.
    Running,
    /// It may, and blocks the signal.
    Deaf,
    /// It may, and has the signal no more: it is about to take it, or has swallowed it.
    Silent,
}

/// Looks at threads.
pub(super) struct Look {
    /// The C library's instructions, once they were looked for.
    library: Option<Option<Range<usize>>>,
}

impl Look {
    pub(super) const fn new() -> Self {
        Self { library: None }
    }

    /// What is known of a thread: it has said itself that it has stopped, or was traced; or it is
    /// looked at.
    pub(super) fn at(&mut self, page: &Page, thread: i32) -> Seen {
        if page.halted.has_stopped(thread as u32) {
            return Seen::Stopped;
        }
        let Some(task) = Task::of(thread) else { return Seen::Running };
        if self.is_stopped(&task) {
            return Seen::Stopped;
        }
        match bit(STOP) {
            stop if task.blocked & stop != 0 => Seen::Deaf,
            stop if task.pending & stop != 0 => Seen::Running,
            _ => Seen::Silent,
        }
    }

    /// Whether a thread is seen to run no instruction of the program any more.
    ///
    /// It has ended; or it is one of the kernel's own, for io_uring; or it
    /// waits in the kernel without heeding signals (`D`: the parent of a `vfork`), and has one of
    /// ours to take first; or it waits in the C library, for another thread or for a child to have
    /// begun, and has blocked even the signal that nobody but the C library does, and has it
    /// pending: it is being made, or makes a process, and takes it before it goes back to the
    /// program.
    fn is_stopped(&mut self, task: &Task) -> bool {
        if task.is_gone() || task.is_kernels() {
            return true;
        }
        let has_ours = task.pending & bit(STOP) != 0;
        if task.state == b'D' && has_ours && task.blocked & bit(STOP) == 0 {
            return true;
        }
        let Some(at) = task.instruction else { return false };
        let is_blocked = has_ours && task.blocked & bit(STOP) != 0;
        is_blocked && self.library().is_some_and(|range| range.contains(&at))
    }

    fn library(&mut self) -> Option<Range<usize>> {
        self.library.get_or_insert_with(c_library).clone()
    }
}
