//! Parts of a memory limit, and reserves that no machine has.
//!
//! Layer 3.  Plane: control.

use super::*;
use crate::config::Config;
use crate::config::memory::Origin;
use crate::config::tests::{Folder, Outcome, objection, resolved_in};

#[test]
fn a_part_of_the_memory_limit() {
    let folder = Folder::new();
    folder.file("/proc/self/cgroup", "0::/a\n");
    folder.file("/proc/self/mountinfo", "3 2 0:2 / /cg rw - cgroup2 cgroup2 rw\n");
    folder.file("/cg/a/memory.max", "1000001\n");
    let limit = MemoryLimit { bytes: 1_000_001, origin: Origin::CgroupV2 };
    for (value, bytes) in [("auto", 800_000), ("75%", 750_000), ("1%", 10_000), ("100%", 1_000_001)]
    {
        let entry = format!("FAILFAST_BUDGET={value}");
        let Outcome { settings, well, lines } =
            resolved_in(Some(&folder), &Config::new(), &[&entry]);
        assert!(well && lines.is_empty(), "{lines:?}");
        assert_eq!(settings.budget_bytes, bytes, "{value}");
        assert_eq!(settings.budget_source.part_of, Some(limit));
    }
    let auto = Config { budget: Limit::Auto, ..Config::new() };
    assert_eq!(resolved_in(Some(&folder), &auto, &[]).settings.budget_bytes, 800_000);

    folder.file("/cg/a/memory.max", "1\n");
    let outcome = resolved_in(Some(&folder), &Config::new(), &["FAILFAST_BUDGET=99%"]);
    let start = "failfast: FAILFAST_BUDGET: `99%` comes to no byte under the memory limit here; ";
    assert!(!outcome.well && outcome.lines[0].starts_with(start), "{:?}", outcome.lines);

    folder.file("/cg/a/memory.max", "garbage\n");
    let outcome = resolved_in(Some(&folder), &Config::new(), &["FAILFAST_BUDGET=auto"]);
    assert!(outcome.well, "a warning");
    assert_eq!(outcome.lines.len(), 1, "{:?}", outcome.lines);
    let start = "failfast: warning: FAILFAST_BUDGET: `auto` is taken of ";
    assert!(outcome.lines[0].starts_with(start), "{:?}", outcome.lines);
}

#[test]
fn a_reserve_of_all_memory_is_refused_before_it_is_touched() {
    let line = objection("FAILFAST_RESERVE=1024TiB");
    assert!(line.starts_with("failfast: FAILFAST_RESERVE: `1024TiB` is all the memory "), "{line}");
}
