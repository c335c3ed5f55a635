//! A request that does not fit ends the process.

use std::hint::black_box;

use failfast_alloc::{fallible, set_abort_hook, usage};

use crate::{End, Scenario, plain};

const BUDGET: &[(&str, &str)] = &[("FAILFAST_BUDGET", "16MiB")];
const OVER: End = End::Abort("failfast: heap budget: cluster `root` asked for ");

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_a_vec", vec) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_small_blocks", boxes) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_growth", growth) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_zeroed_memory", zeroed) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_in_a_thread", thread) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_outside_fallible", try_reserve) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_sixteen_threads_at_once", crowd) },
    Scenario {
        end: End::Abort("failfast: allocator refused: cluster `root` asked for 1125899906842624 "),
        ..plain("dies_of_the_inner_allocator", inner)
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB")],
        end: End::Abort("the hook has its figures"),
        ..plain("dies_with_a_hook_that_asks_while_others_recall", asking_hook)
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "12Q")],
        end: End::Exit(
            78,
            "failfast: FAILFAST_BUDGET: `12Q` is not a size; expected bytes, 64MiB, 75%, auto or \
             unlimited",
        ),
        ..plain("a_wrong_value_ends_it_before_main", || ())
    },
];

fn vec() {
    black_box(vec![1_u8; 17 << 20]);
    unreachable!();
}

fn boxes() {
    #[expect(dead_code, reason = "kept, not read")]
    struct Link(Option<Box<Link>>, [u8; 100]);
    let mut last = None;
    loop {
        last = black_box(Some(Box::new(Link(last, [0; 100]))));
    }
}

fn growth() {
    let mut kept = Vec::new();
    loop {
        kept.push(kept.len());
    }
}

fn zeroed() {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![0_u8; 1 << 20]);
    }
}

fn thread() {
    let _ = std::thread::spawn(growth).join();
    unreachable!();
}

fn try_reserve() {
    let _ = black_box(Vec::<u8>::new()).try_reserve(1 << 30);
    unreachable!();
}

fn crowd() {
    let barrier = std::sync::Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                growth();
            });
        }
    });
}

/// The dying thread's own requests must not keep others waiting that hold the ledger's lock, which
/// its hook then asks for.
fn asking_hook() {
    // SAFETY: the hook allocates, looks, and writes; it enters nothing that it interrupted.
    unsafe {
        set_abort_hook(|report| {
            for n in 0..100 {
                black_box(format!("{n} of {}", report.live()));
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(usage().live > 0);
            eprintln!("the hook has its figures");
        });
    }
    for _ in 0..2 {
        std::thread::spawn(|| {
            loop {
                let mut kept: Vec<u8> = Vec::new();
                let room = usage().budget.unwrap() - usage().live;
                for bytes in [4 << 20, room.saturating_sub(100)] {
                    let _ = fallible(|| kept.try_reserve_exact(bytes));
                }
                black_box(&kept);
            }
        });
    }
    for n in 0..2000 {
        drop(black_box(vec![0_u8; n]));
    }
    black_box(vec![0_u8; 8 << 20]);
}

fn inner() {
    black_box(Vec::<u8>::with_capacity(1 << 50));
    unreachable!();
}
