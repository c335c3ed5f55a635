//! Under a heap budget, each script that runs out of memory dies where it does: nothing it prepared
//! for the case runs, whichever part of the engine asked.

use std::collections::BTreeSet;

use crate::child::{dies, number, script};

const BUDGET_BYTES: u64 = 64 << 20;

macro_rules! scripts_that_run_out_of_memory {
    ($($test:ident: $file:literal prints $stdout:literal;)*) => {
        $(
            #[test]
            fn $test() {
                runs_out_of_memory($file, $stdout);
            }
        )*
        const SCRIPTS: &[&str] = &[$($file),*];
    };
}

scripts_that_run_out_of_memory! {
    typed_arrays: "oom-typed-arrays.js" prints "";
    string_doubling: "oom-string-doubling.js" prints "doubling a string\n";
    arrays: "oom-arrays.js" prints "filling arrays\n";
    objects: "oom-objects.js" prints "filling objects\n";
    maps: "oom-maps.js" prints "filling maps\n";
    closures: "oom-closures.js" prints "chaining closures\n";
    promise_jobs: "oom-promise-jobs.js" prints "queueing jobs\n";
    async_generators: "oom-async-generators.js" prints "suspending generators\n";
    regexps: "oom-regexps.js" prints "compiling regular expressions\n";
    backtracking: "oom-backtracking.js" prints "matching\n";
    json: "oom-json.js" prints "growing JSON\n";
    array_buffer_resize: "oom-array-buffer-resize.js" prints "resizing buffers\n";
    bigint: "oom-bigint.js" prints "computing large numbers\n";
    handlers: "oom-in-handlers.js" prints "allocating in handlers\n";
}

fn runs_out_of_memory(file: &str, stdout: &str) {
    let report = dies(&[&script(file)], &[("FAILFAST_BUDGET", "64MiB")], stdout, |report| {
        let [asked, live, budget, pid] =
            ["requested_bytes", "live_bytes", "budget_bytes", "pid"].map(|of| number(report, of));
        format!(
            "failfast: heap budget: cluster `root` asked for {asked} bytes \
             with {live} of {budget} live (thread `main`, pid {pid})"
        )
    });
    let [asked, live, peak, budget, resident] =
        ["requested_bytes", "live_bytes", "peak_bytes", "budget_bytes", "resident_bytes"]
            .map(|of| number(&report, of));
    assert_eq!(report["cause"], "heap-budget");
    assert_eq!(budget, BUDGET_BYTES);
    assert!(live <= peak && peak <= budget, "{live}, at most {peak}");
    assert!(live + asked > budget, "{asked} bytes would have fitted beside {live}");
    assert!(resident < 2 * budget, "{resident} bytes resident: some are not in the account");
    assert!(report["stack"].is_null());
}

#[test]
fn every_script_has_its_test() {
    let scripts: BTreeSet<String> = std::fs::read_dir(script(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("oom-") && !name.starts_with("oom-recursion-"))
        .collect();
    assert_eq!(scripts, SCRIPTS.iter().map(ToString::to_string).collect());
}
