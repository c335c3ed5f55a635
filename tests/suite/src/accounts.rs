//! What the accounts say.

use std::hint::black_box;

use failfast_alloc::{fallible, usage};

use crate::{End, Scenario, plain};

pub(crate) const SCENARIOS: &[Scenario] = &[
    plain("usage_is_exact", exact),
    plain("a_block_may_be_freed_by_another_thread", freed_elsewhere),
    Scenario {
        env: &[("FAILFAST_BUDGET", "64MiB")],
        ..plain("the_budget_is_exact_to_the_byte", to_the_byte)
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "64MiB")],
        ..plain("try_reserve_can_fail_inside_fallible", try_reserve)
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB"), ("FAILFAST_MODE", "observe")],
        end: End::SaysOnly(
            "failfast: observe: heap budget: cluster `root` asked for 1048576 bytes",
        ),
        ..plain("observing_goes_on_counting", observe)
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB"), ("FAILFAST_MODE", "observe")],
        end: End::SaysOnly("failfast: observe: heap budget: cluster `root` asked for 33554432 "),
        ..plain("observing_grants_inside_fallible_too", || {
            assert!(fallible(|| Vec::<u8>::new().try_reserve_exact(32 << 20)).is_ok());
        })
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "4MiB"), ("FAILFAST_MODE", "observe")],
        end: End::SaysOnly("failfast: observe: heap budget: cluster `root` asked for "),
        ..plain("many_threads_are_observed_in_one_line", || {
            std::thread::scope(|scope| {
                for _ in 0..16 {
                    scope.spawn(observe);
                }
            });
        })
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB")],
        end: End::Abort("failfast: heap budget: cluster `root` asked for 1073741824 bytes with "),
        ..plain("infallible_code_inside_fallible_is_explained", infallible_inside)
    },
    Scenario {
        end: End::Abort("failfast: allocator refused: cluster `root` asked for 1125899906842624 "),
        ..plain("infallible_code_is_explained_for_the_inner_allocator_too", || {
            fallible(|| drop(black_box(Vec::<u8>::with_capacity(1 << 50))));
        })
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB"), ("RUST_BACKTRACE", "0")],
        end: End::Abort("I have my own reasons"),
        ..plain("an_abort_after_fallible_is_not_explained", || {
            assert!(fallible(|| Vec::<u8>::new().try_reserve(1 << 30)).is_err());
            eprintln!("I have my own reasons");
            std::process::abort();
        })
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB")],
        end: End::Abort("I have my own reasons"),
        ..plain("an_abort_in_another_fallible_is_not_explained", || {
            assert!(fallible(|| Vec::<u8>::new().try_reserve(1 << 30)).is_err());
            fallible(|| {
                eprintln!("I have my own reasons");
                std::process::abort();
            });
        })
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "16MiB")],
        end: End::Abort("failfast: heap budget: cluster `root` asked for "),
        ..plain("fallible_is_not_inherited", not_inherited)
    },
];

fn exact() {
    let before = usage();
    assert_eq!(before.budget, None);
    let kept: Vec<_> = (1..100).map(|n| vec![0_u8; n * 37]).collect();
    let bytes: usize = kept.iter().map(Vec::capacity).sum();
    let slots = kept.capacity() * size_of::<Vec<u8>>();
    let now = usage();
    assert_eq!(now.live - before.live, bytes + slots);
    assert!(now.peak >= now.live);
    drop(kept);
    assert_eq!(usage().live, before.live);
    assert!(usage().peak >= now.live, "the peak has fallen");
}

fn freed_elsewhere() {
    std::thread::spawn(|| ()).join().unwrap(); // What threads leave behind once.
    let before = usage().live;
    for size in [10, 1000, 100_000, 3_000_000] {
        let block = vec![1_u8; size];
        std::thread::spawn(move || drop(black_box(block))).join().unwrap();
        let block = std::thread::spawn(move || vec![2_u8; size]).join().unwrap();
        drop(black_box(block));
    }
    assert_eq!(usage().live, before);
}

/// The largest request that fits is granted, and one byte more is refused.
fn to_the_byte() {
    let budget = usage().budget.unwrap();
    assert_eq!(budget, 64 << 20);
    for _ in 0..3 {
        let room = budget - usage().live;
        let mut kept: Vec<u8> = Vec::new();
        assert!(fallible(|| kept.try_reserve_exact(room + 1)).is_err());
        assert_eq!(usage().live, budget - room);
        kept.try_reserve_exact(room).unwrap();
        assert_eq!(usage().live, budget);
        let mut one: Vec<u8> = Vec::new();
        assert!(fallible(|| one.try_reserve_exact(1)).is_err());
        drop(kept);
        one.try_reserve_exact(1).unwrap();
    }
}

fn try_reserve() {
    let mut kept: Vec<u8> = Vec::new();
    let refused = fallible(|| {
        let inner = fallible(|| kept.try_reserve(1 << 30)).is_err();
        inner && kept.try_reserve(1 << 30).is_err()
    });
    assert!(refused && kept.capacity() == 0);
    assert!(fallible(|| kept.try_reserve(1 << 20)).is_ok());
}

fn observe() {
    let mut kept = Vec::new();
    for _ in 0..64 {
        kept.push(vec![0_u8; 1 << 20]);
    }
    let now = usage();
    assert!(now.live > 64 << 20);
    assert!(now.budget.unwrap() <= 16 << 20);
}

fn infallible_inside() {
    fallible(|| drop(black_box(Vec::<u8>::with_capacity(1 << 30))));
    unreachable!();
}

fn not_inherited() {
    fallible(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut huge: Vec<u8> = Vec::new();
                let _ = black_box(&mut huge).try_reserve(1 << 30);
                unreachable!("try_reserve returned");
            });
        });
    });
}
