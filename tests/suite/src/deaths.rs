//! A request that does not fit ends the process.

use std::ffi::c_void;
use std::hint::black_box;

use failfast_alloc::{FoundBy, fallible, set_abort_hook, usage};

use crate::{End, Scenario, plain};

const BUDGET: &[(&str, &str)] = &[("FAILFAST_BUDGET", "16MiB")];
const OVERFLOW: End = End::Abort("by the probe, and there is memory for the hook");
const OVER: End = End::Abort("failfast: heap budget: cluster `root` asked for ");

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_a_vec", vec) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_small_blocks", boxes) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_growth", growth) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_zeroed_memory", zeroed) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_in_a_thread", thread) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_outside_fallible", try_reserve) },
    Scenario { env: BUDGET, end: OVER, ..plain("dies_of_sixteen_threads_at_once", crowd) },
    // The probe comes before the inner allocator has begun, however deep that is.
    Scenario { end: OVERFLOW, ..plain("deep_recursion_on_2_mib", || recurse_on(2 << 20)) },
    Scenario { end: OVERFLOW, ..plain("deep_recursion_on_16_kib", || recurse_on(16 << 10)) },
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

/// Allocates at every depth of a thread's stack of so many bytes, or of the least that there can
/// be: an inner allocator's thread-local storage may need more.
fn recurse_on(bytes: usize) {
    extern "C" fn entry(_: *mut c_void) -> *mut c_void {
        #[inline(never)]
        #[allow(unconditional_recursion, reason = "that is what it is for")]
        fn go_down(depth: usize) -> usize {
            let here = black_box(vec![depth as u8; 8 + depth % 600]);
            go_down(depth + 1) + usize::from(here[0])
        }
        std::ptr::without_provenance_mut(go_down(0))
    }
    // SAFETY: the hook needs nothing of the program's.
    unsafe {
        set_abort_hook(|report| {
            let stack = report.stack().expect("a stack");
            drop(black_box(vec![1_u8; 1000]));
            if stack.found_by == FoundBy::Probe {
                eprintln!("by the probe, and there is memory for the hook");
            }
        });
    }
    for bytes in (bytes..1 << 24).step_by(4096) {
        // SAFETY: an entry that takes nothing; attributes that are made before they are used.
        unsafe {
            let mut attributes = std::mem::zeroed();
            libc::pthread_attr_init(&mut attributes);
            libc::pthread_attr_setstacksize(&mut attributes, bytes);
            let (mut thread, nothing) = (0, std::ptr::null_mut());
            if libc::pthread_create(&mut thread, &attributes, entry, nothing) == 0 {
                libc::pthread_join(thread, std::ptr::null_mut());
                return;
            }
        }
    }
}
