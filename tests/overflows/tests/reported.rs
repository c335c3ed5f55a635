//! With a `FailFast`, each overflow ends in our report: one line, one hook, SIGABRT.

use failfast_alloc::FailFast;
use failfast_alloc_overflows::judge::{self, in_thread, set_hook};
use failfast_alloc_overflows::with_all_cases;
use failfast_alloc_suite::{End, Scenario, plain, run};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// What is nested as deeply as people write it.
const SHALLOW: usize = 50;
const REPORT: (&str, &str) = ("FAILFAST_REPORT", "fd:2");
const BUDGET: (&str, &str) = ("FAILFAST_STACK_BUDGET", "512KiB");

macro_rules! scenarios {
    ($($name:literal, $case:path, $deep:literal, $judge:ident;)*) => {
        &[$(
            Scenario {
                env: &[REPORT],
                end: End::AbortAnd(judge::on_main),
                ..plain(concat!($name, "_on_main"), || {
                    set_hook();
                    $case($deep);
                })
            },
            Scenario {
                env: &[REPORT],
                end: End::AbortAnd(judge::on_thread),
                ..plain(concat!($name, "_on_a_thread"), || {
                    set_hook();
                    in_thread(|| $case($deep));
                })
            },
            Scenario {
                env: &[REPORT, BUDGET],
                end: End::AbortAnd(judge::$judge),
                ..plain(concat!($name, "_under_a_budget"), || {
                    set_hook();
                    in_thread(|| $case($deep));
                })
            },
            plain(concat!($name, "_not_too_deep"), || {
                set_hook();
                $case(SHALLOW);
                in_thread(|| $case(SHALLOW));
            }),
        )*]
    };
}

const SCENARIOS: &[Scenario] = with_all_cases!(scenarios);

fn main() -> std::process::ExitCode {
    run(SCENARIOS)
}
