//! Stacks that others make: nothing is said of them while all is well, accounts on them are exact,
//! and their end is known for what it is.

use std::cell::Cell;
use std::hint::black_box;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use failfast_alloc::{Cluster, Limit, stack, usage};
use failfast_alloc_rows::witness::{self, FORBIDDEN};
use failfast_alloc_rows::{End, Row};

use super::{on_other, overflows};
use crate::tools::*;

/// How a stack is made, and something run on it.
type Maker = fn(fn());

const MAKERS: [(&str, Maker); 3] =
    [("stacker", on_stacker), ("corosensei", on_coroutine), ("ucontext", on_ucontext)];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (maker, on) in MAKERS {
        let name = |what: &str| format!("{maker}_{what}").leak() as &'static str;
        let fine =
            |what, body: Box<dyn Fn() + Send + Sync>| Row::silent(name(what), End::Exit(0), body);
        rows.push(fine("on_main", Box::new(move || on(look))));
        rows.push(fine("on_a_thread", Box::new(move || in_thread(move || on(look)))));
        rows.push(
            fine("on_main_over_its_budget", Box::new(move || on(look)))
                .env("FAILFAST_STACK_BUDGET", "64KiB"),
        );
        rows.push(
            fine("on_a_thread_over_its_budget", Box::new(move || in_thread(move || on(look))))
                .env("FAILFAST_STACK_BUDGET", "64KiB"),
        );
        rows.push(
            fine("on_main_without_a_limit", Box::new(move || on(look)))
                .before_exec(|| set_stack_limit(libc::RLIM_INFINITY))
                .env("FAILFAST_STACK_BUDGET", "1MiB"),
        );
        rows.push(fine("keeps_accounts", Box::new(move || keeps_accounts(on))));
        rows.push(
            overflows(name("overflows_on_main"), move || {
                set_hook(|_| {});
                on(overflow_by_small_frames);
            })
            .hook_ran()
            .check(on_other),
        );
        rows.push(
            overflows(name("overflows_on_a_thread"), move || {
                in_thread(move || on(overflow_by_small_frames));
            })
            .check(on_other),
        );
        // The probe does not know where such a stack ends; the guard does.
        rows.push(
            overflows(name("overflows_by_allocation"), move || {
                set_hook(|_| drop(black_box(vec![1_u8; 1000])));
                on(overflow_by_allocation);
            })
            .hook_ran()
            .check(on_other),
        );
    }
    rows.push(Row::silent("stacker_grows_where_it_has_to", End::Exit(0), || {
        in_thread(|| assert_eq!(nest(200_000), 200_000));
    }));
    rows.push(
        overflows("main_after_coroutines", || {
            on_coroutine(look);
            overflow_by_allocation();
        })
        .check(super::by_probe),
    );
    rows
}

fn in_thread(f: impl FnOnce() + Send + 'static) {
    if std::thread::spawn(f).join().is_err() {
        witness::count(FORBIDDEN);
        // SAFETY: no preconditions.
        unsafe { libc::_exit(1) };
    }
}

fn on_stacker(f: fn()) {
    stacker::grow(256 << 10, f);
}

fn on_coroutine(f: fn()) {
    let stack = DefaultStack::new(256 << 10).unwrap();
    let mut coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
        f();
        yielder.suspend(());
        f();
    });
    assert!(matches!(coroutine.resume(()), CoroutineResult::Yield(())));
    assert!(matches!(coroutine.resume(()), CoroutineResult::Return(())));
}

fn on_ucontext(f: fn()) {
    thread_local!(static TO_DO: Cell<Option<fn()>> = const { Cell::new(None) });
    extern "C" fn entry() {
        TO_DO.get().unwrap()();
    }
    TO_DO.set(Some(f));
    on_fiber(256 << 10, entry);
}

/// Nothing is known of the stack, so that nothing is wrong with it, however far down.
fn look() {
    assert_eq!(stack::remaining(), None);
    stack::probe(1 << 40);
    use_stack(128 << 10);
    for size in 1..300 {
        let mut block = black_box(vec![1_u8; size]);
        block.reserve(1000);
        block.shrink_to_fit();
        black_box(vec![0_u8; size]);
    }
}

/// Bytes that are allocated on such a stack are charged and refunded like others, in the cluster
/// that the thread is in.
fn keeps_accounts(on: Maker) {
    on(look);
    let before = usage().live;
    on(look);
    assert_eq!(usage().live, before);
    let cluster = Cluster::builder("fiber").budget(Limit::mib(4)).build().unwrap();
    let charged = cluster.usage().live;
    cluster.run(|| {
        on(|| {
            let here = Cluster::current().usage().live;
            let block = black_box(vec![1_u8; 12345]);
            assert_eq!(Cluster::current().usage().live, here + 12345);
            drop(block);
            assert_eq!(Cluster::current().usage().live, here);
        });
    });
    assert_eq!(cluster.usage().live, charged);
}

/// Recursion that allocates, and gets new stacks on the way.
fn nest(levels: u32) -> u32 {
    stacker::maybe_grow(64 << 10, 1 << 20, || {
        let here = black_box(Box::new(1));
        if levels == 0 { 0 } else { nest(levels - 1) + *here }
    })
}
