//! What a child does to itself between fork and exec.
//!
//! Layer 1.  Plane: control.
//!
//! The child is a copy of one thread of a process that has others: only system calls here, no
//! memory is allocated and no lock taken.

use std::ffi::CStr;
use std::io;
use std::sync::Arc;

use super::super::raw;
use crate::sync::{AtomicI32, AtomicU32, AtomicUsize, Ordering::Relaxed};

const OOM_SCORE: &CStr = c"/proc/self/oom_score_adj";

/// What is to be done, as set for the next child. Only one thread forks at a time.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// The process that must not die before the child.
    parent: AtomicU32,
    /// A descriptor of that process.
    parent_fd: AtomicI32,
    /// The record's descriptor.
    record: AtomicI32,
    /// Where on the record the process's number stands.
    pid_offset: AtomicUsize,
    /// The descriptor of a group's `cgroup.procs`, or -1 for none.
    group: AtomicI32,
    /// What is asked of the kernel's out-of-memory killer.
    oom_score: AtomicI32,
}

impl Setup {
    /// Sets what is to be done. Descriptors stay open until the child was made; `group` may be
    /// -1, for none.
    pub(crate) fn set(&self, parent_fd: i32, (record, pid_offset): (i32, usize), group: i32) {
        // ORDER: Relaxed, all. One thread sets them, and forks.
        self.parent.store(super::super::process::pid(), Relaxed);
        self.parent_fd.store(parent_fd, Relaxed);
        self.record.store(record, Relaxed);
        self.pid_offset.store(pid_offset, Relaxed);
        self.group.store(group, Relaxed);
    }

    /// Sets what is asked of the out-of-memory killer.
    pub(crate) fn set_oom_score(&self, score: i32) {
        self.oom_score.store(score, Relaxed); // ORDER: Relaxed. As above.
    }

    /// Has every child that `command` starts do what is set.
    pub(crate) fn install(self: &Arc<Self>, command: &mut std::process::Command) {
        use std::os::unix::process::CommandExt as _;
        let setup = Arc::clone(self);
        // SAFETY: `run` makes system calls and no more.
        unsafe { command.pre_exec(move || setup.run()) };
    }

    fn run(&self) -> io::Result<()> {
        // ORDER: Relaxed, all. The child's memory is what it was when the thread forked.
        let load = |number: &AtomicI32| number.load(Relaxed);
        unblock_signals()?;
        die_with_parent(self.parent.load(Relaxed), load(&self.parent_fd))?;
        join_group(load(&self.group))?;
        set_oom_score(load(&self.oom_score));
        hand_over_record(load(&self.record), self.pid_offset.load(Relaxed))
    }
}

/// What is blocked on the thread that forks is an accident of whoever asked first for a child; what
/// a program begins with is not to depend on it.
fn unblock_signals() -> io::Result<()> {
    let none = 0_u64;
    let at = (&raw const none).expose_provenance();
    call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, at, 0, 8, 0, 0]).map(|_| ())
}

/// Has the kernel kill us when the parent is gone. It looks at the thread that has forked us, which
/// is why that one never ends.
fn die_with_parent(parent: u32, parent_fd: i32) -> io::Result<()> {
    let args = [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0];
    call(libc::SYS_prctl, args)?;
    // Was it gone before? Then we have another parent by now. (0 is a parent in a namespace that
    // we cannot see into; its descriptor tells.)
    let now = call(libc::SYS_getppid, [0; 6])? as u32;
    let mut fd = libc::pollfd { fd: parent_fd, events: libc::POLLIN, revents: 0 };
    let at = (&raw mut fd).expose_provenance();
    let is_gone = {
        let at_once = [0_i64; 2];
        let time = at_once.as_ptr().expose_provenance();
        call(libc::SYS_ppoll, [at, 1, time, 0, 8, 0])? != 0
    };
    if is_gone || (now != parent && now != 0) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

fn join_group(procs: i32) -> io::Result<()> {
    if procs < 0 {
        return Ok(());
    }
    // 0 is whoever writes.
    let text = b"0".as_ptr().expose_provenance();
    call(libc::SYS_write, [procs as usize, text, 1, 0, 0, 0]).map(|_| ())
}

/// As well as the kernel lets us: it is a wish.
fn set_oom_score(score: i32) {
    let (mut text, mut len) = ([0_u8; 12], 12);
    let mut rest = score.unsigned_abs();
    while len == 12 || rest > 0 {
        len -= 1;
        text[len] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    if score < 0 {
        len -= 1;
        text[len] = b'-';
    }
    let path = OOM_SCORE.as_ptr().expose_provenance();
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    let Ok(fd) = call(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0, 0]) else {
        return;
    };
    let text = &text[len..];
    let at = text.as_ptr().expose_provenance();
    let _ = call(libc::SYS_write, [fd, at, text.len(), 0, 0, 0]);
    let _ = call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
}

/// Says on the record whose it is, and has the program inherit it.
fn hand_over_record(record: i32, pid_offset: usize) -> io::Result<()> {
    let pid = u64::from(super::super::process::pid());
    let at = (&raw const pid).expose_provenance();
    call(libc::SYS_pwrite64, [record as usize, at, 8, pid_offset, 0, 0])?;
    call(libc::SYS_fcntl, [record as usize, libc::F_SETFD as usize, 0, 0, 0, 0]).map(|_| ())
}

fn call(number: libc::c_long, args: [usize; 6]) -> io::Result<usize> {
    // SAFETY: of numbers, and of memory that outlives the call; see the callers.
    let result = unsafe { raw::call(number, args) };
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result as i32))
}

/// What this process itself has asked of the out-of-memory killer.
pub(crate) fn own_oom_score() -> i32 {
    let path = OOM_SCORE.to_str().unwrap_or_default();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}
