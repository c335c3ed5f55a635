//! Something that dies.

use std::hint::black_box;
use std::sync::Barrier;
use std::{io, thread};

use clap::ValueEnum;

/// How to die.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Cause {
    /// Allocate until the budget (`FAILFAST_BUDGET`) is used up
    HeapBudget,
    /// Recurse without end, on a thread of its own
    StackOverflow,
    /// Call `fail_fast`
    Requested,
    /// Write to address 16: a fault that is none of the allocator's business
    Fault,
}

/// Starts threads that go on for ever. They are called `worker-0` and so on.
pub(crate) fn start_others(count: usize) -> io::Result<()> {
    let started: &Barrier = Box::leak(Box::new(Barrier::new(count + 1)));
    for number in 0..count {
        let work = move || {
            if number % 2 == 1 {
                block_all_signals();
            }
            started.wait();
            loop {
                std::hint::spin_loop();
            }
        };
        drop(thread::Builder::new().name(format!("worker-{number}")).spawn(work)?);
    }
    started.wait();
    Ok(())
}

fn block_all_signals() {
    // SAFETY: `sigset_t` is numbers only.
    let mut all = unsafe { std::mem::zeroed() };
    // SAFETY: a set of ours.
    unsafe { libc::sigfillset(&mut all) };
    // SAFETY: a whole set; the mask is this thread's.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut()) };
}

/// Dies.
pub(crate) fn die(cause: Cause) -> io::Result<()> {
    let death = match cause {
        Cause::HeapBudget => fill_the_heap,
        Cause::StackOverflow => overflow,
        Cause::Requested => || failfast_alloc::fail_fast("the example asked for it"),
        Cause::Fault => fault,
    };
    let thread = thread::Builder::new().name("doomed".into()).spawn(death)?;
    let _ = thread.join();
    Err(io::Error::other("still alive: is FAILFAST_BUDGET set?"))
}

fn fill_the_heap() {
    // An end of its own, so that an example without a budget does not eat the machine.
    let mut kept = Vec::new();
    for _ in 0..1024 {
        kept.push(black_box(vec![0_u8; 1 << 20]));
    }
}

fn overflow() {
    black_box(recurse(1));
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if frame[0] == u64::MAX { 0 } else { recurse(depth + 1) + frame[1] }
}

fn fault() {
    // SAFETY: there is none; that is the point.
    unsafe { black_box(std::ptr::without_provenance_mut::<u8>(16)).write_volatile(1) };
}
