//! The table.

mod abort;
mod causes;
mod faults;
mod fork;
mod hooks;
mod output;
mod overflow;
mod stacks;

use crate::table::Row;

/// All rows.
pub(crate) fn all() -> Vec<Row> {
    let parts = [
        causes::rows(),
        hooks::rows(),
        abort::rows(),
        output::rows(),
        fork::rows(),
        overflow::rows(),
        stacks::rows(),
        faults::rows(),
    ];
    parts.into_iter().flatten().collect()
}
