//! Which file stands for a module, and where the debug information is that belongs to it.
//!
//! Above the layers.  Plane: control.
//!
//! The debug information is, in this order, in the file that was named for it, in the program or
//! library itself, under `.build-id` in the folder for debug files, or where the file's
//! `.gnu_debuglink` says: beside it, in `.debug` beside it, or in the folder for debug files under
//! the same path. A file that is found by its build id, or by a link, has to be the one that is
//! meant: its build id, or else its checksum, is compared. `addr2line` itself finds `.dwp` and
//! `.dwo` files.
//!
//! A report comes from somewhere else, maybe from somebody who means ill, so only regular files are
//! opened.

use crate::report::Module;
use object::{Endianness, Object, ObjectSection, ReadCache, elf, read::elf::ProgramHeader};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder for debug files.
const DEBUG_FOLDER: &str = "usr/lib/debug";
/// Mappings begin at pages.
const PAGE: u64 = 4096;

/// A file that is to be used, `[MODULE=]FILE`.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    module: Option<String>,
    file: PathBuf,
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Where {
    pub(crate) binaries: Vec<Override>,
    pub(crate) debug_files: Vec<Override>,
    pub(crate) sysroot: Option<PathBuf>,
}

/// Where the information on one module may be.
#[derive(Debug)]
pub(super) struct Source {
    /// The program or library, and whether somebody named it.
    binary: PathBuf,
    is_named: bool,
    debug_file: Option<PathBuf>,
    folder: PathBuf,
}

/// Where it is.
pub(super) struct Resolved {
    pub(super) symbols: PathBuf,
    pub(super) bias: u64,
    pub(super) note: Option<String>,
}

impl Override {
    /// `FILE`, or `MODULE=FILE`, if what is before the sign is no folder of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (module, file) = match text.split_once('=') {
            Some((module, file)) if !Path::new(text).exists() => (Some(module), file),
            _ => (None, text),
        };
        if file.is_empty() || module.is_some_and(str::is_empty) {
            return Err("expected FILE, or MODULE=FILE with a path or file name of the report's \
                        modules"
                .to_string());
        }
        Ok(Self { module: module.map(str::to_string), file: file.into() })
    }

    /// Which of `modules` it stands for: the one it names; or the one whose file is called as it is
    /// itself, endings of debug files aside; or the only one there is.
    fn module(&self, modules: &[Module], flag: &str) -> Result<usize, String> {
        let own = self.file.file_name().map(|name| name.to_string_lossy().into_owned());
        let own = own.unwrap_or_default();
        let stem = own.strip_suffix(".debug").or(own.strip_suffix(".dbg")).unwrap_or(&own);
        let wanted = self.module.as_deref().unwrap_or(stem);
        let is_meant = |module: &Module| module.path == wanted || file_name(module) == wanted;
        let found = modules.iter().position(is_meant);
        let only = (self.module.is_none() && modules.len() == 1).then_some(0);
        found.or(only).ok_or_else(|| {
            let names: Vec<String> =
                modules.iter().map(|module| format!("`{}`", file_name(module))).collect();
            let names = match names.is_empty() {
                true => "none".to_string(),
                false => names.join(", "),
            };
            format!("{flag}: no module is called `{wanted}`; the report has {names}")
        })
    }
}

fn file_name(module: &Module) -> &str {
    module.path.rsplit('/').next().unwrap_or_default()
}

/// A source for each module.
pub(super) fn sources(modules: &[Module], place: &Where) -> Result<Vec<Source>, String> {
    let root = place.sysroot.as_deref();
    let below_root = |path: &str| match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let folder = root.unwrap_or(Path::new("/")).join(DEBUG_FOLDER);
    let source = |module: &Module| Source {
        binary: below_root(&module.path),
        is_named: false,
        debug_file: None,
        folder: folder.clone(),
    };
    let mut sources: Vec<Source> = modules.iter().map(source).collect();
    for named in &place.binaries {
        let source = &mut sources[named.module(modules, "--binary")?];
        source.binary.clone_from(&named.file);
        source.is_named = true;
    }
    for named in &place.debug_files {
        let source = &mut sources[named.module(modules, "--debug-file")?];
        source.debug_file = Some(named.file.clone());
    }
    Ok(sources)
}

impl Source {
    /// Finds the file with the debug information.
    pub(super) fn resolve(self, module: &Module, time: Option<&str>) -> Result<Resolved, String> {
        if let Some(symbols) = self.debug_file {
            let bias = Elf::open(&symbols)?.bias;
            return Ok(Resolved { symbols, bias, note: None });
        }
        if !self.is_named && !module.path.starts_with('/') {
            return Err(
                "the report has no whole path: name the file with --binary or --debug-file"
                    .to_string(),
            );
        }
        if !self.is_named && module.deleted {
            return Err("the file was deleted or replaced while the program ran: name its copy \
                        with --binary"
                .to_string());
        }
        let elf = Elf::open(&self.binary)?;
        let newer = (!self.is_named && is_newer(&self.binary, time)).then(|| {
            "the file was changed after the report was written: names and lines may be wrong"
                .to_string()
        });
        if elf.has_debug_information {
            return Ok(Resolved { symbols: self.binary, bias: elf.bias, note: newer });
        }
        let bias = elf.bias;
        match debug_file(&self.binary, &elf, &self.folder) {
            Ok(symbols) => Ok(Resolved { symbols, bias, note: newer }),
            Err(why) => {
                Ok(Resolved { symbols: self.binary, bias, note: Some(newer.unwrap_or(why)) })
            }
        }
    }
}

/// Whether a file was changed after the report was written.
fn is_newer(path: &Path, time: Option<&str>) -> bool {
    let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let changed = changed.ok().and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    let written = time.and_then(seconds);
    changed.zip(written).is_some_and(|(changed, written)| changed.as_secs() > written)
}

/// Seconds from 1970 to a time that is written as in reports, `2025-11-23T13:17:05.042Z`.
fn seconds(time: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !time.ends_with('Z') || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Years begin in March, so that the day that is missing in most of them is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day;
    Some(((days.checked_sub(719_469)? * 24 + hour) * 60 + minute) * 60 + second)
}

/// What is needed of a file in ELF.
struct Elf {
    bias: u64,
    has_debug_information: bool,
    build_id: Option<Vec<u8>>,
    /// The name and the checksum of the debug file.
    link: Option<(PathBuf, u32)>,
}

impl Elf {
    fn open(path: &Path) -> Result<Self, String> {
        let named = |error: String| format!("{}: {error}", path.display());
        let file = regular(path).map_err(|error| named(error.to_string()))?;
        let cache = ReadCache::new(file);
        let parsed = object::File::parse(&cache).map_err(|error| named(error.to_string()))?;
        use std::os::unix::ffi::OsStrExt as _;
        let name = |bytes| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
        let has = |section| parsed.section_by_name(section).is_some_and(|it| it.size() > 0);
        Ok(Self {
            bias: bias(&parsed).ok_or_else(|| named("is no 64-bit ELF file".to_string()))?,
            has_debug_information: has(".debug_info") || has(".zdebug_info"),
            build_id: parsed.build_id().ok().flatten().map(<[u8]>::to_vec),
            link: parsed.gnu_debuglink().ok().flatten().map(|(file, sum)| (name(file), sum)),
        })
    }
}

/// A file that can be read without waiting for anybody.
fn regular(path: &Path) -> io::Result<File> {
    // Looked at before it is opened, since opening a FIFO waits.
    let metadata = std::fs::metadata(path)?;
    let wrong = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    match (metadata.is_file(), metadata.len()) {
        (false, _) => wrong("not a regular file"),
        // Also what the kernel makes when it is read: for some of that it waits (`/proc/kmsg`).
        (true, 0) => wrong("an empty file"),
        _ => File::open(path),
    }
}

/// The address that the file's first byte was linked for.
fn bias<'data, R: object::ReadRef<'data>>(file: &object::File<'data, R>) -> Option<u64> {
    let object::File::Elf64(elf) = file else { return None };
    let endian: Endianness = elf.endian();
    let loaded = elf.elf_program_headers().iter().filter(|it| it.p_type(endian) == elf::PT_LOAD);
    let first = loaded.min_by_key(|it| it.p_vaddr(endian))?;
    // Debug files keep addresses, and offsets up to the page.
    let down = |at: u64| at - at % PAGE;
    Some(down(first.p_vaddr(endian)).wrapping_sub(down(first.p_offset(endian))))
}

/// The separate debug file of `binary`.
fn debug_file(binary: &Path, elf: &Elf, folder: &Path) -> Result<PathBuf, String> {
    const ADVICE: &str = "it has no debug information: build with `debug = \"line-tables-only\"` \
                          in the profile, or name its debug file with --debug-file";
    let by_id = elf.build_id.as_deref().and_then(|id| {
        let (first, rest) = id.split_first()?;
        let hex: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(folder.join(format!(".build-id/{first:02x}/{hex}.debug")))
    });
    let folder_of_it = binary.parent().unwrap_or(Path::new("/"));
    let by_link = elf.link.iter().flat_map(|(name, _)| {
        let below = folder.join(folder_of_it.strip_prefix("/").unwrap_or(folder_of_it));
        [folder_of_it.to_path_buf(), folder_of_it.join(".debug"), below].map(|it| it.join(name))
    });
    let mut other = None;
    for candidate in by_id.into_iter().chain(by_link).filter(|it| it.is_file()) {
        match belongs(&candidate, elf) {
            Ok(true) => return Ok(candidate),
            Ok(false) => other = Some(format!("{}: is of another build", candidate.display())),
            Err(error) => other = Some(error),
        }
    }
    Err(other.unwrap_or_else(|| ADVICE.to_string()))
}

/// Whether a debug file is of the same build: by build ids if both have one, else by checksum.
fn belongs(candidate: &Path, elf: &Elf) -> Result<bool, String> {
    let debug = Elf::open(candidate)?;
    if let (Some(own), Some(its)) = (&elf.build_id, &debug.build_id) {
        return Ok(own == its);
    }
    let Some((_, expected)) = &elf.link else { return Ok(false) };
    let sum = checksum(candidate).map_err(|error| format!("{}: {error}", candidate.display()))?;
    Ok(sum == *expected)
}

fn checksum(path: &Path) -> io::Result<u32> {
    let (mut file, mut sum) = (regular(path)?, crc32fast::Hasher::new());
    let mut buf = vec![0; 1 << 16];
    loop {
        match file.read(&mut buf)? {
            0 => return Ok(sum.finalize()),
            len => sum.update(&buf[..len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (time, expected) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2024-02-29T23:59:59.999Z", Some(1_709_251_199)),
            ("2025-11-23T13:17:05.042Z", Some(1_763_903_825)),
            ("2025-13-23T13:17:05.042Z", None),
            ("2025-11-23T13:17:05.042", None),
            ("2025-11", None),
            ("", None),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}Z", None),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }

    #[test]
    fn a_named_file_stands_for_the_module_of_its_name() {
        let module = |path: &str| Module { path: path.to_string(), deleted: false };
        let modules = [module("/opt/server"), module("/lib/libc.so.6")];
        for (text, expected) in [
            ("/tmp/server", Ok(0)),
            ("/tmp/server.debug", Ok(0)),
            ("libc.so.6=/tmp/x", Ok(1)),
            ("/opt/server=/tmp/x", Ok(0)),
            (
                "/tmp/x",
                Err("--binary: no module is called `x`; the report has `server`, `libc.so.6`"),
            ),
        ] {
            let found = Override::parse(text).unwrap().module(&modules, "--binary");
            assert_eq!(found, expected.map_err(str::to_string), "{text}");
        }
        assert_eq!(Override::parse("/tmp/x").unwrap().module(&modules[..1], ""), Ok(0));
        assert!(Override::parse("").is_err());
        assert!(Override::parse("=x").is_err());
        assert!(Override::parse("x=").is_err());
    }
}
