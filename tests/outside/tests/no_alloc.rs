//! Between death and verdict the supervisor allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::Stdio;

use failfast_alloc::supervise::{Cgroup, Command, Reason};
use failfast_alloc::{Cause, Limit};
use failfast_alloc_outside::LONG;

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's clauses.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's clauses.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's clauses.
        unsafe { System.realloc(block, layout, new) }
    }
}

#[global_allocator]
static ALLOC: Counting = Counting;

fn main() {
    let before = COUNT.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_ne!(COUNT.get(), before, "it does not count");
    for cgroup in [Cgroup::Auto, Cgroup::Never] {
        for (how, reason) in [
            ("heap", Reason::Failed(Cause::HeapBudget)),
            ("exit:3", Reason::Exit(3)),
            ("raise:9", Reason::Signal(9)),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dies"));
            command.arg(how).budget(Limit::mib(2)).cgroup(cgroup).stderr(Stdio::null());
            let mut running = command.spawn().unwrap();
            let before = COUNT.get();
            let verdict = running.wait_timeout(LONG).unwrap();
            let reached = verdict.as_ref().map(|verdict| (verdict.reason(), verdict.death()));
            let after = COUNT.get();
            assert_eq!(after - before, 0, "allocations, for {how}");
            assert_eq!(reached.unwrap().0, reason);
        }
    }
}
