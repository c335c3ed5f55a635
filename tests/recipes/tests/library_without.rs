//! A program with another allocator, which uses a library that knows ours: the table of
//! `docs/libraries.md`, row by row.

use failfast_alloc::{Cluster, Limit, Usage, fallible, stack, usage};
use failfast_alloc_recipes::decode;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// In a child's environment.
const CHILD: &str = "LIBRARY_CHILD";

#[test]
fn the_library_works() {
    assert!(decode(&[(b'a', 3), (b'b', 1 << 20)]).unwrap().starts_with(b"aaab"));
}

#[test]
fn clusters_are_refused() {
    let root = Cluster::root();
    let errors = [
        Cluster::builder("job").build().unwrap_err(),
        root.set_budget(Limit::mib(1)).unwrap_err(),
        root.set_soft_budget(Limit::bytes(1)).unwrap_err(),
    ];
    assert!(errors.iter().all(failfast_alloc::Error::is_not_installed), "{errors:?}");
    assert_eq!(Cluster::list().len(), 1);
}

#[test]
fn nothing_is_counted() {
    let kept = vec![0_u8; 1 << 20];
    let charge = Cluster::root().charge_external(1 << 20).unwrap();
    for Usage { live, peak, budget, soft_budget, .. } in [usage(), Cluster::root().usage()] {
        assert_eq!((live, peak, budget, soft_budget), (0, 0, None, None));
    }
    drop((kept, charge));
}

#[test]
fn the_root_runs_what_it_is_given() {
    let root = Cluster::root();
    assert_eq!(root.run(|| 7), 7);
    drop(root.enter());
    assert_eq!(root.spawn(|| 7).unwrap().join().unwrap(), 7);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut scoped = std::pin::pin!(root.scope(async { 7 }));
    assert!(scoped.as_mut().poll(&mut context).is_ready());
    let mut limited = std::pin::pin!(root.limited(async { 7 }));
    assert!(limited.as_mut().poll(&mut context).is_ready());
    assert!(!root.over_soft_budget());
}

#[test]
fn asking_is_as_ever() {
    assert!(fallible(|| Vec::<u8>::new().try_reserve(isize::MAX as usize)).is_err());
    assert!(stack::remaining().is_some_and(|bytes| bytes > 1 << 16));
    stack::probe(4096);
}

#[test]
fn no_variable_is_read_and_the_end_has_no_report() {
    if std::env::var_os(CHILD).is_some() {
        failfast_alloc::fail_fast("enough");
    }
    let report = std::env::temp_dir().join(format!("{}-library.json", std::process::id()));
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["no_variable_is_read_and_the_end_has_no_report", "--exact", "--nocapture"]);
    child.env(CHILD, "yes").env("FAILFAST_BUDGET", "12Q").env("FAILFAST_REPORT", &report);
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{said}");
    assert!(said.contains("failfast: requested: enough (thread `"), "{said}");
    assert!(!said.contains("12Q") && !report.exists(), "{said}");
}
