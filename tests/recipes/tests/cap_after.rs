//! The same program over this crate.

use failfast_alloc::{Cluster, FailFast, Limit, fallible, usage};

#[global_allocator]
static ALLOC: FailFast = FailFast::system().budget(Limit::mib(64));

fn load(bytes: usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    fallible(|| data.try_reserve_exact(bytes)).ok()?; // null in here alone
    Some(data)
}

fn has_room(bytes: usize) -> bool {
    let usage = usage();
    usage.budget.is_none_or(|budget| budget - usage.live >= bytes)
}

#[test]
fn too_much_is_none() {
    assert!(load(128 << 20).is_none());
    assert!(load(1 << 20).is_some());
}

#[test]
fn looking() {
    assert!(has_room(1 << 20));
    assert!(usage().live <= usage().peak);
    Cluster::root().set_budget(Limit::mib(128)).unwrap();
    assert_eq!(usage().budget, Some(128 << 20));
    Cluster::root().set_budget(Limit::mib(64)).unwrap();
}

/// What `cap` answers with null, or not at all, ends the process here.
#[test]
fn without_fallible_it_dies() {
    use std::os::unix::process::ExitStatusExt;
    const NAME: &str = "without_fallible_it_dies";
    if std::env::var_os("CHILD").is_some() {
        let mut data = Vec::<u8>::new();
        let _ = data.try_reserve_exact(128 << 20);
        std::process::exit(0);
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args([NAME, "--exact", "--nocapture"]).env("CHILD", "1").output().unwrap();
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(line.contains("failfast: heap budget: cluster `root` asked for 134217728"), "{line}");
}
