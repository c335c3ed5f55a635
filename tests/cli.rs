//! `failfast`, the program: what it says, word by word, and what it exits with; on reports of
//! processes that really died, and on reports that were made up to be misread.

#[path = "cli/broken.rs"]
mod broken;
#[path = "cli/dying.rs"]
mod dying;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/limits.rs"]
mod limits;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/surface.rs"]
mod surface;
#[path = "cli/symbols.rs"]
mod symbols;
#[path = "cli/tools.rs"]
mod tools;

use failfast_alloc::FailFast;
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// A test by its name.
type Row = (&'static str, fn());

fn main() {
    if let Ok(name) = std::env::var(dying::CHILD) {
        return dying::die(&name);
    }
    let groups =
        [explain::ROWS, broken::ROWS, symbols::ROWS, limits::ROWS, run::ROWS, surface::ROWS];
    let rows = groups.into_iter().flatten();
    let trials = rows.map(|(name, test)| {
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
