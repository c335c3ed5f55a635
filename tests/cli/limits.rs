//! `failfast limits`, under limits that hold.

use crate::Row;
use crate::tools::{failfast, failfast_with, run};
use serde_json::Value;
use std::process::Command;

pub(crate) const ROWS: &[Row] = &[
    ("limits::ulimit_is_the_least", ulimit_is_the_least),
    ("limits::a_program_is_judged_by_the_same", a_program_is_judged_by_the_same),
    ("limits::physical_memory_is_there", physical_memory_is_there),
];

const LIMIT: u64 = 3 << 30;

/// `failfast limits` under `ulimit -v`.
fn under_ulimit(more: &[&str]) -> String {
    let program = failfast();
    let mut command = Command::new("sh");
    command.args(["-ec", "ulimit -v 3145728; exec \"$0\" limits \"$@\""]);
    command.arg(program.get_program()).args(more);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    run(&mut command).well()
}

fn ulimit_is_the_least() {
    let said = under_ulimit(&[]);
    for expected in [
        "  3 GiB (3,221,225,472 bytes)         RLIMIT_AS (ulimit -v)  <- the least\n",
        "  FAILFAST_BUDGET=auto  2.39 GiB (2,576,980,377 bytes)\n",
        "  FAILFAST_BUDGET=75%   2.25 GiB (2,415,919,104 bytes)\n",
    ] {
        assert!(said.contains(expected), "`{expected}` is not in:\n{said}");
    }
    let said: Value = serde_json::from_str(&under_ulimit(&["--json"])).unwrap();
    assert_eq!(said["least"]["origin"], "rlimit-as");
    assert_eq!(said["least"]["bytes"], LIMIT);
    assert_eq!(said["auto_bytes"], LIMIT * 80 / 100);
    assert_eq!(said["percent_75_bytes"], LIMIT * 75 / 100);
}

/// What it says `auto` would be is what a program with `auto` has.
fn a_program_is_judged_by_the_same() {
    let said: Value = serde_json::from_str(&under_ulimit(&["--json"])).unwrap();
    let mut command = Command::new("sh");
    command.args(["-ec", "ulimit -v 3145728; exec \"$0\""]);
    command.arg(std::env::current_exe().unwrap());
    command.env(crate::dying::CHILD, "requested").env("FAILFAST_BUDGET", "auto");
    command.env("FAILFAST_REPORT", "fd:1");
    let done = run(&mut command);
    let report: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["budget_bytes"], said["auto_bytes"]);
}

fn physical_memory_is_there() {
    let said: Value = serde_json::from_str(&failfast_with(["limits", "--json"]).well()).unwrap();
    let physical = said["limits"].as_array().unwrap().iter();
    let physical = physical.filter(|it| it["origin"] == "physical").collect::<Vec<_>>();
    assert!(physical.len() == 1 && physical[0]["bytes"].as_u64() > Some(1 << 20), "{said}");
    for limit in said["limits"].as_array().unwrap() {
        if let Some(path) = limit["path"].as_str() {
            assert!(std::path::Path::new(path).is_file(), "{path} is no file");
        }
    }
}
