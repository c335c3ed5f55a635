//! The thread that makes all children.
//!
//! Layer 8.  Plane: control.
//!
//! The kernel kills a child with its parent when the *thread* that forked it ends, whatever becomes
//! of the process. So one thread does it, and never ends.

use std::process::{Child, Command};
use std::sync::mpsc;
use std::{io, thread};

use parking_lot::Mutex;

use crate::sys::supervise::in_new_namespace;

/// How much stack it has. The C library copies a program's arguments onto it when it finds a script
/// that does not say which shell it is for; the kernel takes at most 6 MiB of arguments. What is
/// not used is no memory.
const STACK_BYTES: usize = 8 << 20;

/// What to start, and whom to tell.
struct Job {
    command: Command,
    in_namespace: bool,
    done: mpsc::Sender<(Command, io::Result<Child>)>,
}

/// The thread's inbox, and the process that it is in: a forked child has no such thread.
static INBOX: Mutex<Option<(u32, mpsc::Sender<Job>)>> = Mutex::new(None);

fn inbox() -> io::Result<mpsc::Sender<Job>> {
    let mut inbox = INBOX.lock();
    let me = std::process::id();
    if let Some((owner, sender)) = &*inbox
        && *owner == me
    {
        return Ok(sender.clone());
    }
    let (sender, jobs) = mpsc::channel::<Job>();
    let name = thread::Builder::new().name("failfast-spawn".into()).stack_size(STACK_BYTES);
    name.spawn(move || {
        for Job { mut command, in_namespace, done } in jobs {
            let mut start = || command.spawn();
            let child = if in_namespace { in_new_namespace(start) } else { start() };
            // Whoever asked waits for the answer.
            let _ = done.send((command, child));
        }
    })?;
    *inbox = Some((me, sender.clone()));
    Ok(sender)
}

/// Starts `command`, on the thread that never ends, and gives it back.
///
/// `in_namespace` makes it the first process of a process namespace of its own.
pub(super) fn spawn(command: &mut Command, in_namespace: bool) -> io::Result<Child> {
    let inbox = inbox()?;
    let (done, answer) = mpsc::channel();
    let lost = || io::Error::other("the thread that starts programs has ended");
    let job = Job { command: std::mem::replace(command, Command::new("")), in_namespace, done };
    if let Err(mpsc::SendError(job)) = inbox.send(job) {
        *command = job.command;
        return Err(lost());
    }
    let (back, child) = answer.recv().map_err(|_| lost())?;
    *command = back;
    child
}
