//! What a case writes before it dies.

use failfast_alloc::{Report, set_abort_hook};

/// The name of the thread that is not the first.
pub const THREAD: &str = "deep";

/// Runs `f` on a thread with a stack of 2 MiB.
pub fn in_thread(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name(THREAD.into()).stack_size(2 << 20);
    thread.spawn(f).unwrap().join().unwrap();
}

/// Sets a hook that allocates, and says that it ran.
pub fn set_hook() {
    let hook = |report: &Report| {
        let kept: Vec<String> = (0..100).map(|n| format!("{n}: {report}")).collect();
        eprintln!("hook: {} ({})", report.cause().code(), kept.len());
    };
    // SAFETY: it allocates and writes, and enters nothing of the cases.
    unsafe { set_abort_hook(hook) };
}

/// At the end of the first thread's stack.
pub fn on_main(text: &str) -> Result<(), String> {
    is_reported(text, "stack-overflow", "main", "guard page")
}

/// At the end of another thread's.
pub fn on_thread(text: &str) -> Result<(), String> {
    is_reported(text, "stack-overflow", THREAD, "2097152 bytes of stack")
}

/// Over a budget of 512 KiB in another thread, noticed by the probe.
pub fn over_budget(text: &str) -> Result<(), String> {
    is_reported(text, "stack-budget", THREAD, "of 524288 bytes of stack")
}

/// The same; or at the stack's end, if it neither allocates nor frees on its way down.
pub fn past_budget(text: &str) -> Result<(), String> {
    over_budget(text).or_else(|wrong| {
        on_thread(text).map_err(|also| format!("{wrong}; {also}"))?;
        match text.contains(r#""found_by":"guard""#) {
            true => Ok(()),
            false => Err("the probe has let it go past its budget".into()),
        }
    })
}

/// As `on_main`, or as `on_thread`; but where it cannot be known that nothing else runs, no hook.
pub fn without_proc(text: &str) -> Result<(), String> {
    let reported = |text: &str| on_main(text).or_else(|_| on_thread(text));
    if text.contains(r#""halt":"unproven""#) && !text.contains("hook: ") {
        return reported(&format!("{text}hook: stack-overflow (100)\n"));
    }
    reported(text)
}

/// Three lines: ours, the report, and the hook's. Nothing of the runtime's.
fn is_reported(text: &str, cause: &str, thread: &str, says: &str) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().collect();
    let [line, report, hook] = lines[..] else {
        return Err(format!("{} lines, where there should be 3", lines.len()));
    };
    let report: serde_json::Value = serde_json::from_str(report).map_err(|e| e.to_string())?;
    let is_right = line.starts_with(&format!("failfast: {}: ", cause.replace('-', " ")))
        && line.contains(&format!("thread `{thread}` "))
        && line.contains(says)
        && report["cause"] == cause
        && report["thread"] == thread
        && hook == format!("hook: {cause} (100)");
    let stack = &report["stack"];
    let [low, used] = [&stack["low"], &stack["used_bytes"]].map(|word| !word.is_null());
    let frames = report["backtrace"].as_array().map_or(0, Vec::len);
    let is_shown = frames > 2 || report["modules"].as_array().is_none_or(Vec::is_empty);
    match (is_right, low && used, is_shown) {
        (true, true, true) => Ok(()),
        (false, ..) => Err(format!("not the end by {cause} of thread {thread}")),
        (_, false, _) => Err("the report has no stack".into()),
        (.., false) => Err(format!("the report has a backtrace of {frames} frames")),
    }
}

/// The standard library's own.
pub fn by_runtime(text: &str) -> Result<(), String> {
    match text.contains("has overflowed its stack") && !text.contains("failfast") {
        true => Ok(()),
        false => Err("this is not the runtime's text".into()),
    }
}
