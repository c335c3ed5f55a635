//! The report with all that was found out, for machines: one JSON object on one line.
//!
//! Above the layers.  Plane: control.
//!
//! All members of the report are there as they were, unknown ones included. Each frame gains
//! `symbols`, and the object gains `explained` as its last member.

use super::{Entry, hints, story};
use crate::symbols::{Named, Symbol};
use crate::text::Escaped;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub(super) fn write(out: &mut dyn Write, entry: &Entry, named: &Named) -> io::Result<()> {
    let report = &entry.report;
    let mut whole = report.whole.clone();
    if let Some(frames) = whole.get_mut("backtrace").and_then(Value::as_array_mut) {
        for (frame, symbols) in frames.iter_mut().zip(&named.frames) {
            if let Some(frame) = frame.as_object_mut() {
                frame.insert("symbols".to_string(), symbols.iter().map(symbol).collect());
            }
        }
    }
    let modules = named.modules.iter().map(
        |module| json!({ "path": module.path, "symbols_from": module.read, "note": module.note }),
    );
    let explained = json!({
        "file": entry.file,
        "line": entry.line,
        "summary": story::sentence(report),
        "hints": hints::hints(report, named),
        "modules": modules.collect::<Value>(),
        "complaints": report.complaints,
    });
    whole.insert("explained".to_string(), explained);
    // `serde_json` escapes what is below U+0020; a report in a terminal needs more.
    let line = serde_json::to_string(&whole)?;
    writeln!(out, "{}", Escaped(&line))
}

fn symbol(symbol: &Symbol) -> Value {
    let mut members = Map::new();
    let mut member = |name: &str, value: Value| members.insert(name.to_string(), value);
    member("function", symbol.function.clone().into());
    member("file", symbol.file.clone().into());
    member("line", symbol.line.into());
    member("column", symbol.column.into());
    member("inlined", symbol.inlined.into());
    Value::Object(members)
}
