//! Which file an address is in, from the text of `/proc/self/maps`.
//!
//! Layer 2.  Plane: data.
//!
//! The C library's answer (`dl_iterate_phdr`) takes the loader's lock, which a halted thread may
//! hold. The kernel's answer is text, of any length, read in pieces of any size; so this is fed
//! byte by byte and keeps no more than a line's numbers and the end of its path.
//!
//! The offset of an address is its distance from where the file's first byte is mapped. For shared
//! libraries and position-independent programs, which are linked at address zero, that is the
//! virtual address that symbolizers ask for; for a program linked at a fixed address it is the
//! address itself.

use super::backtrace::{Backtrace, Module, PATH_BYTES_MAX};
use super::text::ELLIPSIS;

/// Notes, for every address of a backtrace, the file and the offset.
pub(crate) struct Resolver<'a> {
    backtrace: &'a mut Backtrace,
    line: Line,
    file: File,
}

/// The file of the last line that named one, and how its mappings belong together.
#[derive(Clone, Copy, Default)]
struct File {
    device: u64,
    inode: u64,
    base: usize,
    module: Option<usize>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(backtrace: &'a mut Backtrace) -> Self {
        Self { backtrace, line: Line::new(), file: File::default() }
    }

    /// Takes the next piece of the text.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(*byte);
            }
        }
    }

    /// Takes the end of the text.
    pub(crate) fn finish(mut self) {
        self.end_line();
        self.backtrace.order_modules();
    }

    fn end_line(&mut self) {
        if self.line.names_a_file() {
            self.join_file();
            self.locate();
        }
        self.line.clear();
    }

    /// Makes the line's mapping one of the last file's, or the first of another.
    ///
    /// The loader maps a file in one run of lines, with ascending offsets; only its zeroed memory,
    /// which has no name, may stand between. A second run is another copy of the file.
    fn join_file(&mut self) {
        let Line { device, inode, start, offset, .. } = self.line;
        let goes_on =
            inode != 0 && (device, inode) == (self.file.device, self.file.inode) && offset != 0;
        if !goes_on {
            let base = start.saturating_sub(offset);
            self.file = File { device, inode, base, module: None };
        }
    }

    fn locate(&mut self) {
        let Self { backtrace, line, file } = self;
        let base = file.base;
        backtrace.locate(line.start, line.end, base, |list| {
            file.module = file.module.or_else(|| list.add(|module| line.describe(base, module)));
            file.module
        });
    }
}

/// What was read of a line: `start-end perms offset device inode   path`.
struct Line {
    field: Field,
    malformed: bool,
    start: usize,
    end: usize,
    offset: usize,
    device: u64,
    inode: u64,
    path: Tail,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Field {
    Start,
    End,
    Permissions,
    Offset,
    Device,
    Inode,
    Path,
}

impl Line {
    const fn new() -> Self {
        Self {
            field: Field::Start,
            malformed: false,
            start: 0,
            end: 0,
            offset: 0,
            device: 0,
            inode: 0,
            path: Tail::new(),
        }
    }

    fn clear(&mut self) {
        *self = Self::new();
    }

    fn push(&mut self, byte: u8) {
        match (self.field, byte) {
            (Field::Start, b'-') => self.field = Field::End,
            (Field::End, b' ') => self.field = Field::Permissions,
            (Field::Permissions, b' ') => self.field = Field::Offset,
            (Field::Offset, b' ') => self.field = Field::Device,
            (Field::Device, b' ') => self.field = Field::Inode,
            (Field::Inode, b' ') => self.field = Field::Path,
            (Field::Start, _) => self.malformed |= !push_hex(&mut self.start, byte),
            (Field::End, _) => self.malformed |= !push_hex(&mut self.end, byte),
            (Field::Permissions, _) => {}
            (Field::Offset, _) => self.malformed |= !push_hex(&mut self.offset, byte),
            (Field::Device, _) => self.device = fold(self.device, byte),
            (Field::Inode, _) => self.inode = fold(self.inode, byte),
            (Field::Path, b' ') if self.path.is_empty() => {}
            (Field::Path, _) => self.path.push(byte),
        }
    }

    fn names_a_file(&self) -> bool {
        !self.malformed && self.field == Field::Path && !self.path.is_empty()
    }

    fn describe(&self, base: usize, module: &mut Module) {
        let path = self.path.as_bytes();
        let kept = path.strip_suffix(b" (deleted)");
        module.base = base;
        module.deleted = kept.is_some();
        module.path.set_end(kept.unwrap_or(path), self.path.cut);
    }
}

/// Appends a hexadecimal digit. `false` if it is none, or one too many.
fn push_hex(number: &mut usize, digit: u8) -> bool {
    let value = match digit {
        b'0'..=b'9' => digit.wrapping_sub(b'0'),
        b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
        _ => return false,
    };
    let fits = *number <= usize::MAX >> 4;
    *number = number.wrapping_shl(4) | usize::from(value);
    fits
}

/// A number for the text so far. Equal texts give equal numbers; `0` alone gives zero.
const fn fold(number: u64, byte: u8) -> u64 {
    number.wrapping_mul(257).wrapping_add((byte ^ b'0') as u64)
}

/// The last bytes of a path of any length.
struct Tail {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
    cut: bool,
}

impl Tail {
    /// An ellipsis goes before them.
    const BYTES_MAX: usize = PATH_BYTES_MAX - ELLIPSIS.len_utf8();

    const fn new() -> Self {
        Self { bytes: [0; Self::BYTES_MAX], len: 0, cut: false }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, byte: u8) {
        self.append(byte);
        // The kernel writes a newline within a path so.
        if let Some(before) = self.as_bytes().strip_suffix(br"\012") {
            self.len = before.len();
            self.append(b'\n');
        }
    }

    fn append(&mut self, byte: u8) {
        if self.len == Self::BYTES_MAX {
            self.bytes.copy_within(1.., 0);
            self.len = self.len.saturating_sub(1);
            self.cut = true;
        }
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = byte;
            self.len = self.len.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
