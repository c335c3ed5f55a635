//! The threads of this process, as the kernel lists them.
//!
//! Layer 1.  Plane: failure.
//!
//! By raw system calls: it is read while other threads are stopped, and on behalf of threads that
//! may be cancelled.

use super::process::pid;
use super::raw;

/// An open list of this process's threads.
pub(crate) struct Tasks {
    folder: usize,
}

impl Tasks {
    /// Opens the list. `None` where `/proc` is not there, or is that of another pid namespace,
    /// whose numbers mean nothing here.
    pub(crate) fn open() -> Option<Self> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        is_ours()
            .then(|| open(c"/proc/self/task".as_ptr().expose_provenance(), flags))?
            .map(|folder| Self { folder })
    }

    /// Calls `f` with the number of each thread. `false` if the list cannot be read to its end.
    pub(crate) fn for_each(&self, mut f: impl FnMut(i32)) -> bool {
        // SAFETY: numbers only.
        unsafe { raw::call(libc::SYS_lseek, [self.folder, 0, libc::SEEK_SET as usize, 0, 0, 0]) };
        let mut buffer = [0_u64; 256];
        loop {
            let at = buffer.as_mut_ptr();
            let args = [self.folder, at.expose_provenance(), size_of_val(&buffer), 0, 0, 0];
            // SAFETY: the buffer is writable, aligned for entries, and as long as given.
            let got = unsafe { raw::call(libc::SYS_getdents64, args) };
            if got <= 0 {
                return got == 0;
            }
            // SAFETY: the kernel has written `got` bytes of the buffer, which outlives the slice.
            let entries = unsafe { core::slice::from_raw_parts(at.cast::<u8>(), got as usize) };
            entries_of(entries, &mut f);
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        close(self.folder);
    }
}

/// Calls `f` with the number of each thread. `false` if there is no such list, or if it is not
/// whole.
pub(crate) fn for_each(f: impl FnMut(i32)) -> bool {
    Tasks::open().is_some_and(|tasks| tasks.for_each(f))
}

/// Whether `/proc` shows this process under the number that it goes by here.
fn is_ours() -> bool {
    let mut link = [0_u8; 16];
    let path = c"/proc/self".as_ptr().expose_provenance();
    let into = link.as_mut_ptr().expose_provenance();
    let args = [libc::AT_FDCWD as usize, path, into, link.len(), 0, 0];
    // SAFETY: a C string, and a buffer as long as given.
    let got = unsafe { raw::call(libc::SYS_readlinkat, args) };
    usize::try_from(got).ok().and_then(|got| number(link.get(..got)?)) == Some(pid() as i32)
}

/// What the kernel says about one thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Task {
    /// `R`, `S`, `D`, `Z`, …: proc_pid_stat(5).
    pub(crate) state: u8,
    /// `PF_…` of the kernel.
    pub(crate) flags: u64,
    /// Signals sent to it that it has not taken: a mask.
    pub(crate) pending: u64,
    /// Signals that it does not take: a mask.
    pub(crate) blocked: u64,
    /// Where it will go on, if it sleeps until another thread of this process, or a child that it
    /// is making, lets it: not if time, a file or another process may.
    pub(crate) instruction: Option<usize>,
}

impl Task {
    /// It serves io_uring, or a virtual machine, inside the kernel, and runs no instruction of the
    /// program (`PF_IO_WORKER`, `PF_USER_WORKER`).
    pub(crate) fn is_kernels(&self) -> bool {
        self.flags & (0x10 | 0x4000) != 0
    }

    /// It has ended, though it is still listed.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// What is known about a thread. `None` if it is not there.
    pub(crate) fn of(thread: i32) -> Option<Self> {
        let mut buf = [0; 2048];
        let mut task = Self::default();
        let stat = read(thread, b"/stat\0", &mut buf)?;
        // The name, in brackets, may hold anything.
        let after = stat.iter().rposition(|&byte| byte == b')')?;
        let mut fields = stat.get(after + 2..)?.split(|&byte| byte == b' ');
        task.state = *fields.next()?.first()?;
        task.flags = decimal(fields.nth(5)?)?;
        if task.is_gone() || task.is_kernels() {
            return Some(task);
        }
        let status = read(thread, b"/status\0", &mut buf)?;
        task.pending = line(status, b"SigPnd:").and_then(hexadecimal)?;
        task.blocked = line(status, b"SigBlk:").and_then(hexadecimal)?;
        // Without this file (a kernel may be built so) the thread is merely not known to sleep.
        let call = read(thread, b"/syscall\0", &mut buf).unwrap_or_default();
        task.instruction = waits_at(call);
        Some(task)
    }
}

/// The instruction of a thread that waits for another one, or for a child to have begun, from what
/// the kernel says of its system call: number, six arguments, stack pointer, instruction
/// (proc_pid_syscall(5)).
fn waits_at(call: &[u8]) -> Option<usize> {
    let mut words = call.split(|&byte| byte == b' ');
    let number = decimal(words.next()?)? as libc::c_long;
    let mut rest = words.map(|word| word.strip_prefix(b"0x").and_then(hexadecimal));
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = rest.next()??;
    }
    let (_stack, instruction) = (rest.next()??, rest.next()??);
    let [_, operation, _, timeout, ..] = arguments;
    let waits = match number {
        libc::SYS_futex => {
            let is_wait = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI];
            let (operation, private) = (operation as i32, libc::FUTEX_PRIVATE_FLAG);
            let kind = operation & !(private | libc::FUTEX_CLOCK_REALTIME);
            timeout == 0 && operation & private != 0 && is_wait.contains(&kind)
        }
        libc::SYS_clone | libc::SYS_clone3 => true,
        _ => is_vfork(number),
    };
    waits.then_some(instruction as usize)
}

#[cfg(target_arch = "x86_64")]
fn is_vfork(number: libc::c_long) -> bool {
    number == libc::SYS_vfork
}

/// There is none elsewhere.
#[cfg(not(target_arch = "x86_64"))]
fn is_vfork(_: libc::c_long) -> bool {
    false
}

/// How many threads the process has, the calling one included.
pub(crate) fn count() -> Option<u64> {
    let mut buf = [0; 2048];
    let status = read_path(c"/proc/self/status".to_bytes_with_nul(), &mut buf)?;
    line(status, b"Threads:").and_then(decimal)
}

/// The largest number that a thread may have.
pub(crate) fn largest_number() -> i32 {
    let mut buf = [0; 32];
    let text = read_path(c"/proc/sys/kernel/pid_max".to_bytes_with_nul(), &mut buf);
    let max = text.and_then(decimal).and_then(|max| i32::try_from(max).ok());
    max.unwrap_or(4 * 1024 * 1024)
}

/// The value on the line of `text` that begins with `name`.
fn line<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))
}

fn decimal(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(text).ok()?.trim(), 16).ok()
}

const TASK: &[u8] = b"/proc/self/task/";

/// Reads a file about a thread.
fn read<'a>(thread: i32, name: &[u8], buf: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut path = [0; 48];
    let mut digits = [0; 10];
    let mut first = digits.len();
    let mut rest = u32::try_from(thread).ok()?;
    while rest > 0 {
        first -= 1;
        *digits.get_mut(first)? = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut at = 0;
    for part in [TASK, digits.get(first..)?, name] {
        path.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    read_path(&path, buf)
}

/// Reads a file's beginning. The path ends with a zero.
fn read_path<'a>(path: &[u8], buf: &'a mut [u8]) -> Option<&'a [u8]> {
    let fd = open(path.as_ptr().expose_provenance(), libc::O_RDONLY | libc::O_CLOEXEC)?;
    let into = buf.as_mut_ptr().expose_provenance();
    // SAFETY: the buffer is writable and as long as given.
    let got = unsafe { raw::call(libc::SYS_read, [fd, into, buf.len(), 0, 0, 0]) };
    close(fd);
    buf.get(..usize::try_from(got).ok()?)
}

fn open(path: usize, flags: i32) -> Option<usize> {
    // SAFETY: both callers give the address of a C string.
    let fd = unsafe {
        raw::call(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags as usize, 0, 0, 0])
    };
    usize::try_from(fd).ok()
}

fn close(fd: usize) {
    // SAFETY: ours to close, once.
    unsafe { raw::call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]) };
}

/// Walks the entries that getdents64(2) wrote: inode (8 bytes), offset (8), length (2), type (1),
/// name.
fn entries_of(mut entries: &[u8], f: &mut impl FnMut(i32)) {
    while let Some(&[low, high]) = entries.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let (Some(name), Some(rest)) = (entries.get(19..length), entries.get(length..)) else {
            return;
        };
        if let Some(number) = number(name) {
            f(number);
        }
        entries = rest;
    }
}

/// A name that is a number, up to its zero; `.` and `..` are not.
fn number(name: &[u8]) -> Option<i32> {
    let digits = name.split(|&byte| byte == 0).next()?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i32, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| i32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
