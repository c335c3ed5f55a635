//! What is asked for, in code and in the environment.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::Barrier;

use failfast_alloc::{FailFast, Limit, Mode, Usage, fallible, usage};

use crate::{End, Scenario, plain};

const ASK_FOR_ELSE: &str =
    "failfast: FailFast::budget: `Bytes(5242880)` is what a second FailFast asks for; expected ";

pub(crate) const SCENARIOS: &[Scenario] = &[
    wrong("budget_zero", "FAILFAST_BUDGET", "0", "failfast: FAILFAST_BUDGET: `0` "),
    wrong("budget_empty", "FAILFAST_BUDGET", "", "failfast: FAILFAST_BUDGET: "),
    wrong("budget_101_percent", "FAILFAST_BUDGET", "101%", "failfast: FAILFAST_BUDGET: `101%` "),
    wrong("stack_budget_word", "FAILFAST_STACK_BUDGET", "much", "FAILFAST_STACK_BUDGET: `much` "),
    wrong("reserve_zero", "FAILFAST_RESERVE", "0", "failfast: FAILFAST_RESERVE: `0` "),
    wrong("timeout_unit", "FAILFAST_HOOK_TIMEOUT", "5", "failfast: FAILFAST_HOOK_TIMEOUT: `5` "),
    wrong(
        "report_folder",
        "FAILFAST_REPORT",
        "/nowhere/at/all.json",
        "failfast: FAILFAST_REPORT: ",
    ),
    wrong("report_device", "FAILFAST_REPORT", "/dev/null", "failfast: FAILFAST_REPORT: "),
    wrong("report_closed", "FAILFAST_REPORT", "fd:77", "failfast: FAILFAST_REPORT: `fd:77` "),
    wrong("exec_missing", "FAILFAST_EXEC", "/no/such/program", "failfast: FAILFAST_EXEC: "),
    wrong("abort_word", "FAILFAST_ABORT", "chian", "failfast: FAILFAST_ABORT: `chian` "),
    wrong("mode_word", "FAILFAST_MODE", "observer", "failfast: FAILFAST_MODE: `observer` "),
    wrong("clusters_name", "FAILFAST_CLUSTER_BUDGETS", "a b=1M", "FAILFAST_CLUSTER_BUDGETS: "),
    wrong("near_miss", "FAILFAST_BUGDET", "64MiB", "failfast: FAILFAST_BUGDET: "),
    wrong("report_stream", "FAILFAST_REPORT", "stderr", "failfast: FAILFAST_REPORT: `stderr` "),
    Scenario {
        env: &[("FAILFAST_RESERVE", "60MiB")],
        before_exec: Some(|| {
            let limit = libc::rlimit { rlim_cur: 60 << 20, rlim_max: 60 << 20 };
            // SAFETY: a readable limit.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
        }),
        end: End::Exit(78, "failfast: FAILFAST_RESERVE: the reserve cannot be mapped; expected "),
        ..plain("a_reserve_that_cannot_be_had", || ())
    },
    Scenario {
        env: &[("FAILFAST_PORT", "tcp://10.0.0.1:80"), ("FAILFAST_SERVICE_HOST", "10.0.0.1")],
        end: End::Says("failfast: warning: FAILFAST_"),
        ..plain("a_service_of_that_name_in_a_cluster_manager", || ())
    },
    Scenario {
        env: &[("FAILFAST_COLOUR", "blue")],
        end: End::Says("failfast: warning: FAILFAST_COLOUR: "),
        ..plain("an_unknown_name_warns_once", || ())
    },
    Scenario {
        env: &[("FAILFAST_CLUSTER_BUDGETS", "parser=1MiB")],
        end: End::Says("failfast: FAILFAST_CLUSTER_BUDGETS: no cluster is named `parser`"),
        ..plain("a_budget_for_nobody_is_said_at_exit", || ())
    },
    Scenario {
        end: End::Exit(78, ASK_FOR_ELSE),
        ..plain("a_second_that_asks_for_something_else", another)
    },
    plain("a_second_that_asks_for_nothing", second),
    plain("a_plain_value", plain_value),
    Scenario {
        env: &[("FAILFAST_BUDGET", "100%")],
        ..plain("a_budget_in_percent_is_found", || assert!(usage().budget.unwrap() > 1 << 20))
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "auto")],
        ..plain("an_automatic_budget_is_found", || assert!(usage().budget.unwrap() > 1 << 20))
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "unlimited")],
        ..plain("no_budget", || assert_eq!(usage().budget, None))
    },
];

/// For a program whose allocator is configured in code: 16 MiB.
pub(crate) const IN_CODE: &[Scenario] = &[
    plain("code_sets_the_budget", || assert_eq!(usage().budget, Some(16 << 20))),
    Scenario {
        end: End::Abort("failfast: heap budget: cluster `root` asked for 33554432 bytes"),
        ..plain("code_is_enforced", || drop(black_box(vec![1_u8; 32 << 20])))
    },
    Scenario {
        env: &[("FAILFAST_BUDGET", "64MiB")],
        ..plain("the_environment_wins", || drop(black_box(vec![1_u8; 32 << 20])))
    },
    Scenario {
        env: &[("FAILFAST_MODE", "observe")],
        end: End::Says("failfast: observe: heap budget: cluster `root` asked for 33554432 bytes"),
        ..plain("the_environment_turns_to_observing", || drop(black_box(vec![1_u8; 32 << 20])))
    },
    plain("a_second_that_asks_for_the_same", || {
        static SAME: FailFast = FailFast::system().budget(Limit::mib(16));
        allocate_with(&SAME);
    }),
    plain("two_that_agree_in_turn", agreeing),
    Scenario {
        end: End::Exit(78, ASK_FOR_ELSE),
        ..plain("a_value_where_another_was", || {
            for megabytes in [16, 5] {
                allocate_with(&std::hint::black_box(
                    FailFast::system().budget(Limit::mib(megabytes)),
                ));
            }
        })
    },
    Scenario {
        end: End::Exit(78, "failfast: FailFast::mode: `Observe` is what a second "),
        ..plain("a_second_that_asks_for_another_mode", || {
            static OTHER: FailFast = FailFast::system().budget(Limit::mib(16)).mode(Mode::Observe);
            allocate_with(&OTHER);
        })
    },
];

/// For a program whose allocator ignores the environment: 16 MiB.
pub(crate) const NO_ENV: &[Scenario] = &[Scenario {
    env: &[("FAILFAST_BUDGET", "64MiB"), ("FAILFAST_BUGDET", "1")],
    ..plain("the_environment_is_ignored", || {
        assert_eq!(usage().budget, Some(16 << 20));
        assert!(fallible(|| Vec::<u8>::new().try_reserve(17 << 20)).is_err());
    })
}];

/// For a program that merely links the crate.
pub(crate) const UNDECLARED: &[Scenario] = &[
    Scenario {
        env: &[("FAILFAST_BUDGET", "12Q"), ("FAILFAST_BUGDET", "1")],
        ..plain("nothing_happens_without_a_failfast", || assert_eq!(usage(), Usage::default()))
    },
    plain("the_first_to_be_reached_configures", || {
        allocate_with(&FailFast::system().budget(Limit::mib(16)));
        assert_eq!(usage().budget, Some(16 << 20));
    }),
    plain("many_threads_reach_it_first", reached_by_many),
];

/// Eight threads make the process's first call at once.
fn reached_by_many() {
    static PLAIN: FailFast = FailFast::system().budget(Limit::mib(16));
    let (all_here, layout) = (&Barrier::new(8), Layout::from_size_align(1000, 8).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                all_here.wait();
                for _ in 0..100 {
                    // SAFETY: not empty; freed once, by the same allocator.
                    unsafe { PLAIN.dealloc(PLAIN.alloc(layout), layout) };
                }
            });
        }
    });
    assert_eq!((usage().live, usage().budget), (0, Some(16 << 20)));
}

const fn wrong(
    name: &'static str,
    variable: &'static str,
    value: &'static str,
    line: &'static str,
) -> Scenario {
    Scenario {
        name,
        env: &[],
        set: Some((variable, value)),
        end: End::Exit(78, line),
        ..plain(name, || ())
    }
}

fn allocate_with(allocator: &dyn GlobalAlloc) {
    let layout = Layout::from_size_align(1000, 8).unwrap();
    let before = usage().live;
    // SAFETY: not empty; freed once, by the allocator that it came from.
    unsafe {
        let block = allocator.alloc(layout);
        assert_eq!(usage().live, before + 1000);
        allocator.dealloc(block, layout);
    }
    assert_eq!(usage().live, before);
}

/// Four threads use three allocators that ask for the same, each in turn.
fn agreeing() {
    agreeing_once(2); // What the runtime keeps for good, it makes in the first round.
    let before = usage().live;
    agreeing_once(20_000);
    assert_eq!(usage().live, before);
}

fn agreeing_once(rounds: usize) {
    static ONE: FailFast = FailFast::system().budget(Limit::mib(16));
    static TWO: FailFast = FailFast::system().budget(Limit::kib(16 << 10));
    let thread = |n| {
        std::thread::spawn(move || {
            let layout = Layout::from_size_align(1_000_000 + n, 8).unwrap();
            for round in 0..rounds {
                let allocator = if (round + n) % 2 == 0 { &ONE } else { &TWO };
                // SAFETY: not empty; freed once, by the same allocator.
                unsafe { allocator.dealloc(allocator.alloc(layout), layout) };
            }
        })
    };
    // Joined, and not scoped: a scope does not wait for a thread's last refund.
    let threads: Vec<_> = (0..4).map(thread).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn another() {
    static OTHER: FailFast = FailFast::system().budget(Limit::mib(5));
    allocate_with(&OTHER);
}

fn second() {
    static SECOND: FailFast<std::alloc::System> = FailFast::new(std::alloc::System);
    allocate_with(&SECOND);
}

fn plain_value() {
    allocate_with(&FailFast::system());
}
