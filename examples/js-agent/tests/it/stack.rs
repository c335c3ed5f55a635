//! Recursion past the stack ends the process like an allocation past the heap.

use std::path::Path;

use crate::child::{AGENT, dies, number, run, script};
use serde_json::Value;

const NATIVE: &str = "oom-recursion-native.js";
const PLAIN: &str = "oom-recursion-plain.js";

fn address(stack: &Value, member: &str) -> u64 {
    let text = stack[member].as_str().unwrap_or_else(|| panic!("no `{member}` in {stack}"));
    u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
}

/// To the end of the stack: a frame hits the guard page, or an allocation finds itself beside it.
fn overflows(file: &str, environment: &[(&str, &str)], stdout: &str) {
    let arguments = [Path::new("--native-stack"), &script(file)];
    let report = dies(&arguments, environment, stdout, |report| {
        let stack = &report["stack"];
        let bytes = address(stack, "high") - address(stack, "low");
        let [at, pid] = [&stack["address"].as_str().unwrap(), &&*report["pid"].to_string()];
        format!(
            "failfast: stack overflow: thread `main` hit its guard page at {at}, \
             {bytes} bytes of stack (pid {pid})"
        )
    });
    assert_eq!(report["cause"], "stack-overflow");
    let stack = &report["stack"];
    let [low, high, pointer] = ["low", "high", "pointer"].map(|of| address(stack, of));
    assert_eq!(high - low, 8 << 20);
    assert!(pointer < low + (64 << 10), "{pointer:#x} is far from the end, {low:#x}");
}

#[test]
fn recursion_through_native_frames() {
    overflows(NATIVE, &[], "recursing through native frames\n");
}

#[test]
fn recursion_through_native_frames_under_a_heap_budget() {
    let budget = [("FAILFAST_BUDGET", "64MiB")];
    overflows(NATIVE, &budget, "recursing through native frames\n");
}

#[test]
fn recursion_of_plain_functions() {
    overflows(PLAIN, &[], "recursing\n");
}

/// Frames that allocate nothing are not looked at: such recursion ends at the guard page instead.
#[test]
fn recursion_of_plain_functions_under_a_stack_budget() {
    overflows(PLAIN, &[("FAILFAST_STACK_BUDGET", "1MiB")], "recursing\n");
}

#[test]
fn recursion_through_native_frames_under_a_stack_budget() {
    let arguments = [Path::new("--native-stack"), &script(NATIVE)];
    let stdout = "recursing through native frames\n";
    let report = dies(&arguments, &[("FAILFAST_STACK_BUDGET", "1MiB")], stdout, |report| {
        let used = number(&report["stack"], "used_bytes");
        let pid = number(report, "pid");
        format!(
            "failfast: stack budget: thread `main` used {used} of 1048576 bytes of stack \
             (pid {pid})"
        )
    });
    assert_eq!(report["cause"], "stack-budget");
    let stack = &report["stack"];
    let used = number(stack, "used_bytes");
    assert_eq!(number(stack, "budget_bytes"), 1 << 20);
    assert_eq!(address(stack, "high") - address(stack, "pointer"), used);
    assert!((1 << 20..2 << 20).contains(&used), "{used} bytes");
}

/// Without the switch, the engine's own limit comes first: an exception, which a script may catch.
#[test]
fn the_engine_has_a_limit_of_its_own() {
    let outcome = run(AGENT, &[&script(PLAIN)], &[]);
    assert!(outcome.status.success(), "{}", outcome.err);
    assert!(outcome.out.contains("caught: RangeError: Maximum call stack size exceeded\n"));
    assert!(outcome.out.contains("still running at "));
}
