//! Does a limit hold, while requests come that can never be met?

use std::io;

use failfast_alloc_bench::matrix::{Inner, Wrapper, name};

use crate::subjects::Subjects;
use crate::table;

const LIMIT: usize = 64 << 20;

/// Runs the race, and prints a table.
pub(crate) fn print(subjects: &Subjects) -> io::Result<()> {
    let mut rows = Vec::new();
    for inner in Inner::ALL {
        for wrapper in [Wrapper::Cap, Wrapper::FailFast, Wrapper::Portable] {
            let outcome =
                subjects.run((inner, wrapper), &["race", &LIMIT.to_string()], Some(LIMIT))?;
            let [held, granted, millis] = outcome[..] else {
                return Err(io::Error::other("the race printed something else"));
            };
            rows.push(vec![
                name(inner, wrapper),
                format!("{:.2} MiB", held / f64::from(1 << 20)),
                if held <= LIMIT as f64 { "yes" } else { "NO" }.to_owned(),
                granted.to_string(),
                format!("{millis} ms"),
            ]);
        }
    }
    let said = "A limit of 64 MiB. One thread asks for 1 GiB over and over, another takes blocks \
        of 64 KiB and keeps them, for a second or until it has 1 GiB.";
    let header = table::header(["", "held at once", "limit holds", "1 GiB granted", "ended after"]);
    table::print("The race", said, &header, rows);
    Ok(())
}
