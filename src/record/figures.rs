//! The numbers and names of a death.
//!
//! Layer 2.  Plane: failure.

use crate::report::{
    FoundBy, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, Report, StackKind, THREAD_BYTES_MAX,
};

use super::write::Payload;

/// How many words they take: what `write_figures` writes.
pub(super) const WORDS: usize =
    8 + 3 * 2 + 8 + text(NAME_BYTES_MAX) + text(THREAD_BYTES_MAX) + text(MESSAGE_BYTES_MAX);

const fn text(bytes_max: usize) -> usize {
    1 + bytes_max.div_ceil(8)
}

/// Writes them, in the order in which `read` takes them.
pub(super) fn write_figures(report: &Report, to: &mut Payload<'_>) {
    to.word(report.requested as u64);
    to.word(report.align as u64);
    to.word(report.live() as u64);
    to.word(report.peak() as u64);
    to.option(report.budget().map(|bytes| bytes as u64));
    to.word(u64::from(report.pid));
    to.word(u64::from(report.tid));
    to.option(report.resident.map(|bytes| bytes as u64));
    to.option(report.cgroup_current);
    to.option(report.cgroup_limit);
    write_stack(report, to);
    to.text(report.cluster().as_bytes(), NAME_BYTES_MAX);
    to.text(report.thread.as_str().as_bytes(), THREAD_BYTES_MAX);
    to.text(report.message.as_str().as_bytes(), MESSAGE_BYTES_MAX);
}

/// 0 for no stack; else how it was noticed, whose it was, and where.
fn write_stack(report: &Report, to: &mut Payload<'_>) {
    let Some(stack) = report.stack else { return (0..8).for_each(|_| to.word(0)) };
    let found_by = match stack.found_by {
        FoundBy::Probe => 1,
        FoundBy::Guard => 2,
    };
    let kind = match stack.kind {
        StackKind::Thread => 1,
        StackKind::Signal => 2,
        StackKind::Other => 3,
    };
    to.word(found_by | kind << 8);
    for address in [stack.address, stack.pointer, stack.low, stack.high, stack.used] {
        to.word(address as u64);
    }
    to.option(stack.budget.map(|bytes| bytes as u64));
}
