//! The backtrace, with names.
//!
//! Above the layers.  Plane: control.
//!
//! Frames of this crate and of the standard library are dim: who asked for the memory is most often
//! the first one that is not.

use crate::paint::{DIM, USED, WARN, heading, styled};
use crate::report::{Frame, Report};
use crate::symbols::{Named, Symbol};
use crate::text::{Shown, count};
use std::io::{self, Write};

pub(super) fn write(out: &mut dyn Write, report: &Report, named: &Named) -> io::Result<()> {
    heading(out, "Backtrace, innermost first")?;
    if report.frames.is_empty() {
        writeln!(out, "  none")?;
    }
    let gap = Gap::of(report);
    let mut at = ours(named).min(gap.after);
    if at > 0 {
        let frames = if at == 1 { "0".to_string() } else { format!("0-{}", at - 1) };
        writeln!(
            out,
            "{}",
            styled(format_args!("  {frames:>3}  failfast_alloc, as it ended"), DIM)
        )?;
    }
    while let Some(rest) = report.frames.get(at..).filter(|rest| !rest.is_empty()) {
        let kept_here = gap.after.checked_sub(at).filter(|kept| *kept > 0).unwrap_or(rest.len());
        let rest = rest.get(..kept_here).unwrap_or(rest);
        let Cycle { length, times } = Cycle::at_the_start_of(rest);
        for (index, frame) in rest.iter().enumerate().take(length) {
            write_frame(out, report, named, at + index, frame)?;
        }
        if times > 1 {
            let these = if length == 1 {
                "this frame".to_string()
            } else {
                format!("these {length} frames")
            };
            let more = count((times - 1) as u64, "more time");
            writeln!(out, "       {}", styled(format_args!("... {these} {more}"), DIM))?;
        }
        at += length * times;
        if at == gap.after && gap.frames > 0 {
            let left_out = format!("... {} left out here", count(gap.frames, "frame"));
            writeln!(out, "       {}", styled(left_out, WARN))?;
        }
    }
    for module in &named.modules {
        if let Some(note) = &module.note {
            let line = format!("  {}: {}", Shown(&module.path), Shown(note));
            writeln!(out, "{}", styled(line, WARN))?;
        }
    }
    Ok(())
}

fn write_frame(
    out: &mut dyn Write,
    report: &Report,
    named: &Named,
    index: usize,
    frame: &Frame,
) -> io::Result<()> {
    let symbols = named.frames.get(index).map(Vec::as_slice).unwrap_or_default();
    if symbols.is_empty() {
        writeln!(out, "  {index:>3}  {}", raw(report, frame))?;
    }
    for (depth, symbol) in symbols.iter().enumerate() {
        let number = if depth == 0 { index.to_string() } else { String::new() };
        write_symbol(out, &number, symbol)?;
    }
    Ok(())
}

/// How many frames, from the innermost on, are of this crate alone: nobody looks for a fault there.
/// Machines get them all.
fn ours(named: &Named) -> usize {
    let is_ours = |symbol: &Symbol| {
        let function = symbol.function.as_deref().unwrap_or_default();
        function.trim_start_matches('<').starts_with("failfast_alloc::")
    };
    let of_us = |symbols: &&Vec<Symbol>| !symbols.is_empty() && symbols.iter().all(is_ours);
    named.frames.iter().take_while(of_us).count()
}

/// Where frames are missing: so many, after so many of those that there are.
struct Gap {
    frames: u64,
    after: usize,
}

impl Gap {
    fn of(report: &Report) -> Self {
        let Some(cut) = &report.cut else { return Self { frames: 0, after: report.frames.len() } };
        let after = cut.frames_after.and_then(|after| usize::try_from(after).ok());
        let after = after.unwrap_or(usize::MAX).clamp(1, report.frames.len().max(1));
        Self { frames: cut.frames, after }
    }
}

/// Frames that come again and again: so many, so often.
struct Cycle {
    length: usize,
    times: usize,
}

impl Cycle {
    const LENGTH_MAX: usize = 8;
    /// What comes twice is better seen twice.
    const TIMES_MIN: usize = 3;

    fn at_the_start_of(frames: &[Frame]) -> Self {
        let times = |length: usize| {
            let cycle = frames.get(..length).unwrap_or_default();
            let same = |other: &&[Frame]| {
                let pairs = || cycle.iter().zip(*other);
                cycle.len() == other.len()
                    && pairs().all(|(a, b)| a.address.is_some() && a.address == b.address)
            };
            frames.chunks(length).take_while(same).count()
        };
        let cycles = (1..=Self::LENGTH_MAX.min(frames.len())).map(|length| (length, times(length)));
        let cycle = cycles.into_iter().find(|(_, times)| *times >= Self::TIMES_MIN);
        let (length, times) = cycle.unwrap_or((1, 1));
        Self { length, times }
    }
}

fn write_symbol(out: &mut dyn Write, number: &str, symbol: &Symbol) -> io::Result<()> {
    let function = symbol.function.as_deref().unwrap_or("?");
    let is_ours = is_runtime(function);
    let shown = Shown(function);
    let name = if is_ours { styled(shown, DIM) } else { styled(shown, USED) };
    let inlined = if symbol.inlined { styled(" (inlined)", DIM) } else { String::new() };
    writeln!(out, "  {number:>3}  {name}{inlined}")?;
    let Some(place) = place(symbol) else { return Ok(()) };
    let place = format!("         at {}", Shown(&place));
    writeln!(out, "{}", if is_ours { styled(place, DIM) } else { place })
}

/// `file:line:column`, as far as it is known.
pub(super) fn place(symbol: &Symbol) -> Option<String> {
    let mut place = symbol.file.clone()?;
    if let Some(line) = symbol.line.filter(|line| *line > 0) {
        place += &format!(":{line}");
        if let Some(column) = symbol.column.filter(|column| *column > 0) {
            place += &format!(":{column}");
        }
    }
    Some(place)
}

/// Whether a function is none of the program's own: of this crate or the standard library, for a
/// type that is of no other.
pub(super) fn is_runtime(function: &str) -> bool {
    const CRATES: [&str; 5] = ["core", "alloc", "std", "failfast_alloc", "hashbrown"];
    const NAMES: [&str; 6] =
        ["__rust_", "__rustc", "__libc_start", "__restore_rt", "rust_", "_start"];
    let is_of_them = |path: &str| {
        let path = path.trim_start_matches(['<', '&', '*', '(', '[']);
        let path = path.strip_prefix("dyn ").unwrap_or(path);
        CRATES.contains(&path.split("::").next().unwrap_or(path))
    };
    match function.strip_prefix('<').and_then(|rest| rest.split_once(" as ")) {
        // `<u8 as alloc::vec::SpecFromElem>::from_elem`, `<T as core::iter::Iterator>::next`
        Some((of, what)) => is_of_them(what) && (is_of_them(of) || !of.contains("::")),
        None => is_of_them(function) || NAMES.iter().any(|name| function.starts_with(name)),
    }
}

/// An address without a name: as much as the report has.
fn raw(report: &Report, frame: &Frame) -> String {
    let address = match frame.address {
        Some(address) => format!("{address:#x}"),
        None => "?".to_string(),
    };
    match frame.place.and_then(|(module, offset)| Some((report.modules.get(module)?, offset))) {
        Some((module, offset)) => {
            format!(
                "{address}  {} {}",
                Shown(&module.path),
                styled(format_args!("+ {offset:#x}"), DIM)
            )
        }
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_of_the_runtime() {
        for function in [
            "core::ptr::read",
            "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop",
            "<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem",
            "<&dyn core::ops::function::Fn<()> as core::ops::function::FnOnce<()>>::call_once",
            "<alloc::raw_vec::RawVecInner>::try_allocate_in",
            "__rustc::__rust_alloc",
            "__restore_rt",
        ] {
            assert!(is_runtime(function), "{function}");
        }
        for function in [
            "server::main",
            "<server::Item as core::iter::traits::iterator::Iterator>::next",
            "<alloc::vec::Vec<u8> as server::Encode>::encode",
            "corelib::run",
            "main",
        ] {
            assert!(!is_runtime(function), "{function}");
        }
    }

    fn frames(addresses: &[u64]) -> Vec<Frame> {
        addresses.iter().map(|it| Frame { address: Some(*it), place: None }).collect()
    }

    #[test]
    fn cycles_are_found_at_their_shortest() {
        for (addresses, length, times) in [
            (&[1, 2, 3][..], 1, 1),
            (&[1, 1, 2], 1, 1),
            (&[1, 1, 1, 2], 1, 3),
            (&[1, 2, 1, 2, 1, 2, 1], 2, 3),
            (&[1, 1, 2, 1, 1, 2, 1, 1, 2], 3, 3),
        ] {
            let cycle = Cycle::at_the_start_of(&frames(addresses));
            assert_eq!((cycle.length, cycle.times), (length, times), "{addresses:?}");
        }
        let unknown = [Frame::default(), Frame::default(), Frame::default()];
        assert_eq!(Cycle::at_the_start_of(&unknown).times, 1, "unknown addresses are not the same");
    }
}
