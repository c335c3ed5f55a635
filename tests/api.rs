//! The public names that other code is built against, each used in its promised shape. What does
//! not compile here would break programs.
#![cfg(not(loom))]
#![allow(clippy::type_complexity, reason = "the types are spelled out: they are what is tested")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use failfast_alloc::{
    AbortMode, Cause, Cluster, ClusterBuilder, Entered, Error, ExternalCharge, FailFast, Limit,
    Limited, Malloc, Mode, OverBudget, Report, ReportTo, Scoped, StackSpan, Usage, fail_fast,
    fallible, set_abort_hook, stack, take_abort_hook, usage,
};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

static OVER_ANOTHER: FailFast<System> = FailFast::new(System);

/// All of the builder, in a constant.
static BUILT: FailFast<Malloc> = FailFast::new(Malloc)
    .budget(Limit::Auto)
    .cluster_budgets(&[("parser", Limit::mib(64)), ("cache", Limit::percent(10))])
    .stack_budget(Limit::Unlimited)
    .reserve(256 << 10)
    .hook_timeout(Duration::from_secs(5))
    .report(ReportTo::File("report.json"))
    .exec("/bin/true")
    .abort_mode(AbortMode::Plain)
    .mode(Mode::Observe)
    .ignore_env();

#[test]
fn the_allocator() {
    fn is_allocator<A: GlobalAlloc + Sync>(_: &A) {}
    is_allocator(&ALLOC);
    is_allocator(&OVER_ANOTHER);
    is_allocator(&BUILT);
    is_allocator(&Malloc);
    let layout = Layout::new::<[u64; 4]>();
    // SAFETY: the layout has a size.
    let block = unsafe { Malloc.alloc(layout) };
    assert!(!block.is_null());
    // SAFETY: freed once, as it was asked for.
    unsafe { Malloc.dealloc(block, layout) };
    let _ = [ReportTo::Nowhere, ReportTo::Fd(2)];
    let _ = [AbortMode::Chain, AbortMode::Plain];
    let _ = [Mode::Enforce, Mode::Observe];
    let limits = [Limit::bytes(1), Limit::kib(1), Limit::mib(1), Limit::gib(1), Limit::percent(1)];
    assert!(matches!(
        limits,
        [
            Limit::Bytes(1),
            Limit::Bytes(1024),
            Limit::Bytes(0x10_0000),
            Limit::Bytes(0x4000_0000),
            Limit::Percent(1)
        ]
    ));
}

#[test]
fn dying() {
    fn is_code<T: Copy + Eq + Debug>(cause: T, code: fn(T) -> &'static str, is: &str) {
        assert_eq!(code(cause), is);
    }
    is_code(Cause::HeapBudget, Cause::code, "heap-budget");
    is_code(Cause::AllocatorRefused, Cause::code, "allocator-refused");
    is_code(Cause::StackBudget, Cause::code, "stack-budget");
    is_code(Cause::StackOverflow, Cause::code, "stack-overflow");
    is_code(Cause::Requested, Cause::code, "requested");
    let _: fn(&str) -> ! = fail_fast;
    // SAFETY: the hook reads the report alone.
    unsafe { set_abort_hook(|report: &Report| drop(seen(report))) };
    let hook: Option<Box<dyn Fn(&Report) + Send + Sync>> = take_abort_hook();
    assert!(hook.is_some() && take_abort_hook().is_none());
}

/// Everything that a report says.
fn seen(report: &Report) -> String {
    let _: (Cause, Option<&str>, &str) = (report.cause(), report.message(), report.cluster());
    let _: (usize, usize) = (report.requested(), report.align());
    let _: (usize, usize, Option<usize>) = (report.live(), report.peak(), report.budget());
    let _: (Option<&str>, u32, u32) = (report.thread(), report.pid(), report.tid());
    let _: (&[usize], Option<StackSpan>) = (report.backtrace(), report.stack());
    let mut json = String::new();
    let _: std::fmt::Result = report.write_json(&mut json);
    report.to_string() + &json
}

#[test]
fn looking() {
    let Usage { live, peak, budget, .. } = usage();
    let _: Option<usize> = budget;
    assert!(live <= peak);
    assert_eq!(fallible(|| 7), 7);
    let mut blocks = Vec::<u8>::new();
    assert!(fallible(|| blocks.try_reserve(isize::MAX as usize)).is_err());
    let _: Option<usize> = stack::remaining();
    stack::probe(1);
}

#[test]
fn clusters() -> Result<(), Error> {
    fn is_handle<T: Clone + Send + Sync>(_: &T) {}
    let builder: ClusterBuilder = Cluster::builder("part").parent(&Cluster::root());
    let part: Cluster = builder.budget(Limit::mib(1)).soft_budget(Limit::kib(512)).build()?;
    is_handle(&part);
    let _: (&str, Option<Cluster>, Usage) = (part.name(), part.parent(), part.usage());
    let _: (Cluster, Vec<Cluster>) = (Cluster::current(), Cluster::list());
    assert_eq!(part.run(|| 7), 7);
    let entered: Entered<'_> = part.enter();
    drop(entered);
    let thread: io::Result<JoinHandle<u32>> = part.spawn(|| 7);
    assert_eq!(thread.unwrap().join().unwrap(), 7);
    part.set_budget(Limit::mib(2))?;
    part.set_soft_budget(Limit::mib(1))?;
    assert!(!part.over_soft_budget());
    assert!(!part.wait_over_soft_budget(Duration::ZERO));
    let charge: Result<ExternalCharge, OverBudget> = part.charge_external(1);
    drop(charge);
    Ok(())
}

#[test]
fn futures() -> Result<(), Error> {
    fn gives<T>(_: &impl Future<Output = T>) {}
    let part = Cluster::builder("part").build()?;
    let scoped: Scoped<_> = part.scope(async { 7 });
    gives::<i32>(&scoped);
    let limited: Limited<_> = part.limited(async { 7 });
    gives::<Result<i32, OverBudget>>(&limited);
    gives::<()>(&part.until_over_soft_budget());
    Ok(())
}

#[test]
fn errors() {
    fn is_error<T: std::error::Error + Display>(_: &T) {}
    let error = Cluster::builder("no name").build().unwrap_err();
    is_error(&error);
    assert!(error.is_invalid_name());
    let others = [
        Error::is_not_installed,
        Error::is_invalid_limit,
        Error::is_below_live,
        Error::is_out_of_clusters,
    ];
    assert!(others.iter().all(|is| !is(&error)));
    let part = Cluster::builder("part").budget(Limit::bytes(10)).build().unwrap();
    let over = part.charge_external(11).unwrap_err();
    is_error(&over);
    assert_eq!((over.cluster(), over.live(), over.budget()), ("part", 0, 10));
}
