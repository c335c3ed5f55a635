//! A program with our allocator, which uses a library that knows it.

use failfast_alloc::{Cluster, FailFast, Limit};
use failfast_alloc_recipes::decode;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// In a child's environment.
const CHILD: &str = "LIBRARY_CHILD";

#[test]
fn the_work_is_charged_to_the_librarys_cluster() {
    let bytes = decode(&[(b'a', 3), (b'b', 1 << 20)]).unwrap();
    assert!(bytes.starts_with(b"aaab"));
    assert!(failfast_alloc::usage().live >= bytes.capacity());
}

#[test]
fn a_budget_by_its_name_holds_it() {
    if std::env::var_os(CHILD).is_some() {
        assert!(decode(&[(b'a', 1 << 19)]).is_ok());
        let _ = decode(&[(b'a', 1 << 24)]);
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["a_budget_by_its_name_holds_it", "--exact", "--nocapture"]);
    child.env(CHILD, "yes").env("FAILFAST_CLUSTER_BUDGETS", "acme-decoder=1MiB");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{said}");
    let says = "heap budget: cluster `acme-decoder` asked for 16777216 bytes with 0 of 1048576 ";
    assert!(said.contains(says), "{said}");
}

#[test]
fn its_callers_cluster_holds_it_too() {
    let caller = Cluster::builder("caller").budget(Limit::mib(4)).build().unwrap();
    let bytes = caller.run(|| decode(&[(b'a', 1 << 20)])).unwrap();
    assert!(caller.usage().live >= bytes.len());
    drop(bytes);
    assert_eq!(caller.usage().live, 0);
}
