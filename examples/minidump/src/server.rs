//! The side of the process that looks: it waits for one process to die, and writes its minidump.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use minidumper::{Error, LoopAction, MinidumpBinary, Server, ServerHandler, SocketName};

use crate::stream;

/// The socket, in the folder of the minidumps.
pub(crate) const SOCKET: &str = "minidump.socket";
/// The minidump.
const DUMP: &str = "crash.dmp";
/// The message that is a report.
pub(crate) const REPORT: u32 = 0;

struct Handler {
    dumps: PathBuf,
    report: Mutex<Vec<u8>>,
}

/// Serves one process, until it has gone.
pub(crate) fn run(dumps: PathBuf) -> io::Result<()> {
    let mut server = Server::with_name(SocketName::Path(&dumps.join(SOCKET)))
        .map_err(|error| io::Error::other(format!("no socket in {}: {error}", dumps.display())))?;
    println!("listening");
    let handler = Box::new(Handler { dumps, report: Mutex::default() });
    server.run(handler, &AtomicBool::new(false), None).map_err(io::Error::other)
}

impl ServerHandler for Handler {
    /// A minidump holds what was in memory, so it is for its owner's eyes.
    fn create_minidump_file(&self) -> io::Result<(File, PathBuf)> {
        let path = self.dumps.join(DUMP);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok((options.open(&path)?, path))
    }

    fn on_minidump_created(&self, result: Result<MinidumpBinary, Error>) -> LoopAction {
        let added = result.map_err(io::Error::other).and_then(|mut dump| {
            let report = self.report.lock().map_err(|_| io::Error::other("poisoned"))?;
            if !report.is_empty() {
                stream::add(&mut dump.file, &report)?;
            }
            Ok(dump.path)
        });
        let _ = match added {
            Ok(path) => writeln!(io::stderr(), "minidump: {}", path.display()),
            Err(error) => writeln!(io::stderr(), "minidump: none: {error}"),
        };
        LoopAction::Exit
    }

    fn on_message(&self, kind: u32, bytes: Vec<u8>) {
        if kind == REPORT
            && let Ok(mut report) = self.report.lock()
        {
            *report = bytes;
        }
    }

    /// The process has gone, without a word.
    fn on_client_disconnected(&self, _: usize) -> LoopAction {
        LoopAction::Exit
    }
}
