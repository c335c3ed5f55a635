//! What the tests of this module share: made-up folders, and the way from them to settings.
//!
//! Layer 3.  Plane: control.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use super::{Config, ReportSink, Settings, World, resolve};
use crate::sync::{AtomicUsize, Ordering};

/// A folder of its own for one test, gone with its value.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // ORDER: Relaxed. Only that no two numbers are the same matters.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("failfast-config-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name.trim_start_matches('/'))
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    pub(super) fn c_path(&self, name: &str) -> CString {
        CString::new(self.text(name)).unwrap()
    }

    /// Writes a file, and makes the folders above it.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Put before absolute paths.
    pub(super) fn root(&self) -> &[u8] {
        Path::as_os_str(&self.0).as_encoded_bytes()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What comes of a configuration.
pub(super) struct Outcome {
    pub(super) settings: Settings,
    pub(super) well: bool,
    pub(super) lines: Vec<String>,
}

pub(super) fn resolved_in(folder: Option<&Folder>, config: &Config, entries: &[&str]) -> Outcome {
    let (mut settings, mut lines) = (Settings::new(), Vec::new());
    let environment = entries.iter().map(|entry| entry.as_bytes());
    let root = folder.map_or(&b""[..], Folder::root);
    let world = World { environment, secure: false, root };
    let result = resolve(config, world, &mut settings, &mut |line| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
    });
    Outcome { settings, well: result.is_ok(), lines }
}

pub(super) fn resolved(config: &Config, entries: &[&str]) -> Outcome {
    resolved_in(None, config, entries)
}

/// The one line that `entry` is answered with; nothing of it holds.
pub(super) fn objection(entry: &str) -> String {
    let outcome = resolved(&Config::new(), &[entry]);
    assert!(!outcome.well, "{entry}");
    assert_eq!(outcome.lines.len(), 1, "{entry}: {:?}", outcome.lines);
    assert_eq!(outcome.settings.budget_bytes, usize::MAX);
    assert!(matches!(outcome.settings.report, ReportSink::Nowhere));
    assert!(outcome.settings.exec().is_none());
    outcome.lines.into_iter().next().unwrap()
}
