//! Without a `FailFast`, the same overflows end in the standard library's text: so it is no other
//! way of failing that `reported.rs` looks at.

use failfast_alloc_overflows::judge::{self, in_thread};
use failfast_alloc_overflows::with_all_cases;
use failfast_alloc_suite::{End, Scenario, plain, run};

macro_rules! scenarios {
    ($($name:literal, $case:path, $deep:literal, $judge:ident;)*) => {
        &[$(
            Scenario {
                end: End::AbortAnd(judge::by_runtime),
                ..plain($name, || in_thread(|| $case($deep)))
            },
        )*]
    };
}

const SCENARIOS: &[Scenario] = with_all_cases!(scenarios);

fn main() -> std::process::ExitCode {
    run(SCENARIOS)
}
