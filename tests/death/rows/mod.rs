//! The table.

mod abort;
pub(crate) mod calls;
mod causes;
mod chain;
mod deadline;
mod deaf;
pub(crate) mod exec;
mod faults;
mod fork;
mod halt;
mod hooks;
mod once;
mod output;
mod overflow;
mod reserve;
mod stacks;

use failfast_alloc_rows::Row;

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let parts = [
        causes::rows(),
        hooks::rows(),
        exec::rows(),
        calls::rows(),
        chain::rows(),
        abort::rows(),
        output::rows(),
        fork::rows(),
        overflow::rows(),
        stacks::rows(),
        faults::rows(),
        once::rows(),
        halt::rows(),
        deaf::rows(),
        deadline::rows(),
        reserve::rows(),
    ];
    parts.into_iter().flatten().collect()
}
