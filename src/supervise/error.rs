//! A program that could not be started.
//!
//! Layer 8.  Plane: control.

use std::ffi::{OsStr, OsString};
use std::{error, fmt, io};

use super::verdict::Class;

/// Why a program could not be started. It has not run.
#[derive(Debug)]
pub struct StartError {
    program: OsString,
    what: &'static str,
    source: io::Error,
}

impl StartError {
    pub(super) fn new(program: &OsStr, what: &'static str, source: io::Error) -> Self {
        Self { program: program.to_os_string(), what, source }
    }

    /// A value that cannot be meant.
    pub(super) fn invalid(program: &OsStr, what: &'static str, value: String) -> Self {
        Self::new(program, what, io::Error::new(io::ErrorKind::InvalidInput, value))
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// What the kernel said; [`io::ErrorKind::InvalidInput`] for a value that cannot be meant, of
    /// which nothing was tried.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether it would fail again: a program that is not there, as against a machine that had no
    /// room for a process.
    #[must_use]
    pub fn class(&self) -> Class {
        use io::ErrorKind::{
            ExecutableFileBusy, Interrupted, OutOfMemory, QuotaExceeded, ResourceBusy, StorageFull,
            WouldBlock,
        };
        // EMFILE and ENFILE have no kind.
        let is_full = matches!(self.source.raw_os_error(), Some(23 | 24));
        match self.source.kind() {
            ExecutableFileBusy | Interrupted | OutOfMemory | QuotaExceeded | ResourceBusy
            | StorageFull | WouldBlock => Class::Environmental,
            _ if is_full => Class::Environmental,
            _ => Class::SelfInflicted,
        }
    }
}

/// For people: `./server could not be started: No such file or directory (os error 2)`.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.to_string_lossy();
        write!(f, "`{}` could not be started", program.escape_debug())?;
        if !self.what.is_empty() {
            write!(f, ": {}", self.what)?;
        }
        write!(f, ": {}", self.source)
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}
