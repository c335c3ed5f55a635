//! The table.

mod c_threads;
mod exits;
mod foreign;
mod frames;
mod handlers;
mod hostile;
mod processes;

use failfast_alloc_rows::witness::FREE;
use failfast_alloc_rows::{Outcome, Row};

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let parts = [
        c_threads::rows(),
        frames::rows(),
        handlers::rows(),
        foreign::rows(),
        exits::rows(),
        processes::rows(),
        hostile::rows(),
    ];
    parts.into_iter().flatten().collect()
}

/// The line of an overflow, of whichever thread.
pub(crate) const OVERFLOW: &str = "failfast: stack overflow: thread `<name>` hit its guard page at \
    <hex>, <n> bytes of stack (pid <n>)";

/// A child that overflows a stack.
pub(crate) fn overflows(name: &'static str, body: impl Fn() + Send + Sync + 'static) -> Row {
    Row::dies(name, "stack-overflow", OVERFLOW, body)
}

/// A word for a number that the child has seen, for its parent to compare.
pub(crate) const SEEN: usize = FREE + 3;

fn stack_of(outcome: &Outcome) -> (u64, u64, u64, u64, u64) {
    let stack = &outcome.report()["stack"];
    let address = |name: &str| {
        let text = stack[name].as_str().expect("an address");
        u64::from_str_radix(&text[2..], 16).expect("in hexadecimal")
    };
    let used = stack["used_bytes"].as_u64().expect("a number");
    (address("address"), address("pointer"), address("low"), address("high"), used)
}

fn found(outcome: &Outcome, by: &str, kind: &str) {
    let stack = &outcome.report()["stack"];
    assert_eq!((stack["found_by"].as_str(), stack["kind"].as_str()), (Some(by), Some(kind)));
}

/// Found by a fault at the end of the thread's own stack, all of which was in use.
pub(crate) fn by_guard(outcome: &Outcome) {
    found(outcome, "guard", "thread");
    let (address, pointer, low, high, used) = stack_of(outcome);
    assert!(address < low && pointer < low + 4096 && low < high, "{:?}", stack_of(outcome));
    assert_eq!(used, high - pointer);
}

/// Found by the probe, in the red zone.
pub(crate) fn by_probe(outcome: &Outcome) {
    found(outcome, "probe", "thread");
    let (address, pointer, low, high, used) = stack_of(outcome);
    assert_eq!(address, low);
    assert!((low..low + (32 << 10)).contains(&pointer), "{:?}", stack_of(outcome));
    assert!(used <= high - low && used >= (high - low) / 2);
}

/// Found by a fault at the end of an alternate stack.
pub(crate) fn on_alternate(outcome: &Outcome) {
    found(outcome, "guard", "signal");
    let (address, pointer, low, high, used) = stack_of(outcome);
    assert!(address < low && pointer <= low && high - low >= 60 << 10, "{:?}", stack_of(outcome));
    assert_eq!(used, high - pointer);
}

/// Found by a fault at the end of a stack of somebody else's.
pub(crate) fn on_other(outcome: &Outcome) {
    found(outcome, "guard", "other");
    let (address, pointer, low, high, used) = stack_of(outcome);
    assert!(address < low && pointer < low + 4096 && low < high, "{:?}", stack_of(outcome));
    assert_eq!(used, high - pointer);
}

/// How many bytes the stack has.
pub(crate) fn stack_bytes(outcome: &Outcome) -> u64 {
    let (_, _, low, high, _) = stack_of(outcome);
    high - low
}

/// The stack has so many bytes.
pub(crate) fn has_bytes(outcome: &Outcome, bytes: u64) {
    assert_eq!(stack_bytes(outcome), bytes);
}
