//! The program to become, checked beforehand.
//!
//! Layer 3.  Plane: data.

use super::line::Fault;
use super::text::{DoesNotFit, PATH_MAX, Text};
use crate::sys::file::{self, Access, Kind};

/// Whether a text says that there is to be no program.
pub(super) fn is_none(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"none")
}

/// Sets `program` to `path`, if it is that of a program that we could become now; else leaves it
/// empty, as it was.
pub(super) fn check(path: &[u8], program: &mut Text<PATH_MAX>) -> Result<(), Fault> {
    if path.is_empty() {
        return Err(Fault::new("is empty"));
    }
    if !path.starts_with(b"/") {
        return Err(Fault::new("is not an absolute path"));
    }
    let checked = fill(program, path);
    if checked.is_err() {
        program.clear();
    }
    checked
}

fn fill(program: &mut Text<PATH_MAX>, path: &[u8]) -> Result<(), Fault> {
    let too_long = |DoesNotFit| Fault::new("is too long, or has a NUL in it");
    program.extend(path).map_err(too_long)?;
    let unseen = |errno| Fault::kernel("cannot be found", errno);
    if file::stat_path(program.c_str()).map_err(unseen)?.kind != Kind::Regular {
        return Err(Fault::new("is not a file"));
    }
    let refused = |errno| Fault::kernel("cannot be executed", errno);
    file::may(None, program.c_str(), Access::Execute).map_err(refused)
}

#[cfg(test)]
mod tests;
