//! `FAILFAST_EXEC`: the process becomes another program, in place of running the hook.
//!
//! Layer 4.  Plane: failure.
//!
//! Recovery that is not part of what failed: the same process number, fresh memory, and no other
//! thread. So nobody need be halted before; the kernel ends them all before the program begins.

use crate::config::Settings;
use crate::report::{JSON_BYTES_MAX, Report};
use crate::sync::{AtomicPtr, Ordering::*};
use crate::sys::exec::Prepared;
use crate::sys::process;

/// What our own variables begin with: the program is to decide for itself.
const OURS: &[u8] = b"FAILFAST_";

static PREPARED: Prepared = Prepared::new();

/// What names the program, once that is known.
static SETTINGS: AtomicPtr<Settings> = AtomicPtr::new(core::ptr::null_mut());

/// Makes ready what the program will need. At start. `false` if it cannot be had.
pub(super) fn prepare(settings: &'static Settings) -> bool {
    if settings.exec().is_none() {
        return true;
    }
    let is_ready = PREPARED.prepare(process::environment(), OURS);
    // ORDER: Release, with the Acquire of `settings`.
    SETTINGS.store(core::ptr::from_ref(settings).cast_mut(), Release);
    is_ready
}

fn settings() -> Option<&'static Settings> {
    // ORDER: Acquire, with the Release of `prepare`.
    let settings = SETTINGS.load(Acquire);
    // SAFETY: null, or from a `&'static`.
    unsafe { settings.as_ref() }
}

/// Whether there is a program to become.
pub(super) fn is_set() -> bool {
    settings().is_some()
}

/// Becomes the program. Returns if it cannot: it is not there any more, say. Only the elected
/// thread.
pub(super) fn become_program(report: &Report) {
    let Some(settings) = settings() else { return };
    let Some(program) = settings.exec() else { return };
    let mut buf = [0; JSON_BYTES_MAX];
    let json = report.json(&mut buf);
    // SAFETY: the process is dying; what it still does itself needs none of those.
    unsafe { PREPARED.become_program(program, json, settings.exec_timeout) }
}
