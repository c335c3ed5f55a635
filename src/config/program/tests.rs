//! Programs that could be become, and what could not.
//!
//! Layer 3.  Plane: control.

use std::os::unix::fs::PermissionsExt;

use crate::config::Config;
use crate::config::tests::{Folder, objection, resolved};

#[test]
fn programs() {
    let folder = Folder::new();
    folder.file("file", "");
    folder.file("program", "");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("program"), executable).unwrap();
    let program = folder.text("program");
    let good = resolved(&Config::new(), &[&format!("FAILFAST_EXEC={program}")]);
    assert!(good.well, "{:?}", good.lines);
    assert_eq!(good.settings.exec(), Some(&*folder.c_path("program")));
    for (value, says) in [
        ("sh".into(), "is not an absolute path; "),
        (folder.text("none"), "cannot be found (errno 2, no such file or folder); "),
        (folder.text("file"), "cannot be executed (errno 13, permission denied); "),
        (folder.text(""), "is not a file; "),
        ("/dev/null".into(), "is not a file; "),
        (format!("{program} --flag"), "cannot be found (errno 2, no such file or folder); "),
        (format!("{program}/x"), "cannot be found (errno 20, not a folder); "),
        (format!("/{}", "x/".repeat(3000)), "is too long, or has a NUL in it; "),
    ] {
        let line = objection(&format!("FAILFAST_EXEC={value}"));
        assert!(line.contains(&format!("` {says}expected the absolute path of a ")), "{line}");
    }
}
