//! Names for addresses.
//!
//! Above the layers.  Plane: control.
//!
//! A report has, for each frame, a file and the distance from where its first byte was mapped. The
//! file, or the debug file that belongs to it, says which function, file and line that is:
//! `addr2line` reads it, inlined functions included. What it cannot say stays a raw address, with a
//! note for people that says why.
//!
//! * `files`: which file stands for which module, and where its debug file is.

mod files;

use crate::report::{Frame, Module, Report};
use addr2line::{Loader, demangle_auto};
use files::Source;
pub(crate) use files::{Override, Where};
use std::borrow::Cow;

/// What is known of one frame: the function, and those that were inlined into it, innermost first.
/// Empty if nothing is.
pub(crate) type Symbols = Vec<Symbol>;

/// A function, and where in it.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
    /// Whether it is a part of the one after it.
    pub(crate) inlined: bool,
}

/// What came of a module.
#[derive(Debug)]
pub(crate) struct ModuleNote {
    pub(crate) path: String,
    /// Where names came from.
    pub(crate) read: Option<String>,
    /// What is in doubt, or went wrong.
    pub(crate) note: Option<String>,
}

/// The backtrace of a report with names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// As many as there are frames.
    pub(crate) frames: Vec<Symbols>,
    pub(crate) modules: Vec<ModuleNote>,
}

/// A module whose file was found.
struct Opened {
    loader: Loader,
    /// Added to a distance from the base, it gives the address that the file was linked for.
    bias: u64,
}

/// Looks up all frames.
///
/// # Errors
///
/// If an override stands for no module of the report.
pub(crate) fn look_up(report: &Report, place: &Where) -> Result<Named, String> {
    let sources = files::sources(&report.modules, place)?;
    let mut named = Named::default();
    let mut opened = Vec::new();
    for (module, source) in report.modules.iter().zip(sources) {
        let (file, note) = open(module, source, report);
        named.modules.push(note);
        opened.push(file);
    }
    let found_by = report.stack.as_ref().and_then(|stack| stack.found_by.as_deref());
    let by_fault = found_by == Some("guard");
    let look = |(index, frame): (usize, &Frame)| {
        let (module, offset) = frame.place?;
        let file = opened.get(module)?.as_ref()?;
        file.symbols(file.of_the_call(offset.wrapping_add(file.bias), by_fault && index > 0))
    };
    named.frames =
        report.frames.iter().enumerate().map(|it| look(it).unwrap_or_default()).collect();
    Ok(named)
}

fn open(module: &Module, source: Source, report: &Report) -> (Option<Opened>, ModuleNote) {
    let mut note = ModuleNote { path: module.path.clone(), read: None, note: None };
    let opened = source.resolve(module, report.time.as_deref()).and_then(|resolved| {
        let loader = Loader::new(&resolved.symbols)
            .map_err(|error| format!("{}: {error}", resolved.symbols.display()))?;
        note.note = resolved.note;
        note.read = Some(resolved.symbols.display().to_string());
        Ok(Opened { loader, bias: resolved.bias })
    });
    match opened {
        Ok(opened) => (Some(opened), note),
        Err(error) => {
            note.note = Some(error);
            (None, note)
        }
    }
}

impl Opened {
    /// A return address is that of the next instruction, which may be of another line, or of
    /// another function if the call was the last there was of its own. Where a fault interrupted
    /// the program, however, is no return address; but that matters only in the first byte of a
    /// function, by which it is known.
    fn of_the_call(&self, address: u64, may_be_a_fault: bool) -> u64 {
        let symbol = self.loader.find_symbol_info(address);
        let is_first_byte = symbol.is_some_and(|symbol| symbol.address() == address);
        if may_be_a_fault && is_first_byte { address } else { address.wrapping_sub(1) }
    }

    fn symbols(&self, address: u64) -> Option<Symbols> {
        let mut symbols = Vec::new();
        // What is wrong with the debug information leaves us with the symbol table.
        if let Ok(mut frames) = self.loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
                let location = frame.location.as_ref();
                symbols.push(Symbol {
                    function: name.map(Cow::into_owned),
                    file: location.and_then(|it| it.file).map(str::to_string),
                    line: location.and_then(|it| it.line),
                    column: location.and_then(|it| it.column),
                    inlined: true,
                });
            }
        }
        let from_table = || {
            let name = self.loader.find_symbol(address)?;
            Some(demangle_auto(Cow::Borrowed(name), None).into_owned())
        };
        match symbols.last_mut() {
            Some(outermost) => {
                outermost.inlined = false;
                outermost.function = outermost.function.take().or_else(from_table);
            }
            None => symbols.push(Symbol {
                function: Some(from_table()?),
                file: None,
                line: None,
                column: None,
                inlined: false,
            }),
        }
        Some(symbols)
    }
}
