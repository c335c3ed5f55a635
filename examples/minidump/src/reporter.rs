//! The side of the process that dies.
//!
//! All that it needs is made ready at start: the server runs, the socket is connected, the buffers
//! are there. What is left for the end is to copy registers, to write to the socket, and to wait
//! for the answer; none of it allocates.

use std::cell::UnsafeCell;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::{fmt, mem, ptr};

use clap::ValueEnum;
use crash_handler::{CrashContext, CrashEventResult, CrashHandler, make_crash_event};
use failfast_alloc::{Report, set_abort_hook};
use minidumper::{Client, SocketName};

use crate::server::{REPORT, SOCKET};

/// How the minidump is asked for.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
pub(crate) enum Way {
    /// From the abort hook: the report is in the minidump
    Hook,
    /// From the handler of SIGABRT, which knows nothing of the report
    Chain,
}

static CLIENT: OnceLock<Client> = OnceLock::new();

/// Whether there was a minidump: of several that ask, the first gets it.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// Starts the server, connects to it, and has it asked for a minidump when this process dies.
///
/// The handler is in force for as long as what is returned lives.
pub(crate) fn start(dumps: &Path, way: Way) -> io::Result<CrashHandler> {
    let server = start_server(dumps)?;
    let client = Client::with_name(SocketName::Path(&dumps.join(SOCKET)));
    let client = client.map_err(|error| io::Error::other(format!("cannot connect: {error}")))?;
    let _ = CLIENT.set(client);
    if way == Way::Hook {
        // SAFETY: it reads what was set once, and touches no lock and no data of the program's.
        unsafe { set_abort_hook(ask_with_report) };
    }
    // SAFETY: as above.
    let event = unsafe { make_crash_event(move |context| on_signal(context, way)) };
    let handler = CrashHandler::attach(event).map_err(io::Error::other)?;
    handler.set_ptracer(Some(server));
    allow_looking(server);
    println!("process {}, server {server}", std::process::id());
    Ok(handler)
}

/// Starts the server: this program in its other role. Returns its process number, once it listens.
fn start_server(dumps: &Path) -> io::Result<u32> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg(dumps).stdin(Stdio::null()).stdout(Stdio::piped());
    // It must live when this process does not: our limits are not its limits.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FAILFAST_") {
            command.env_remove(name);
        }
    }
    let mut server = command.spawn()?;
    let mut line = String::new();
    if let Some(stdout) = server.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        return Err(io::Error::other(format!("the server has ended: {}", server.wait()?)));
    }
    Ok(server.id())
}

/// Lets the server look at this process where the kernel would allow it to a parent alone (Yama).
/// Where there is no such rule, the kernel does not know the call, and it is not needed.
fn allow_looking(server: u32) {
    // SAFETY: a number.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::c_ulong::from(server), 0, 0, 0) };
}

/// Room for what is sent: too large for a signal stack.
struct Room(UnsafeCell<mem::MaybeUninit<CrashContext>>);

// SAFETY: only who has set `IS_ASKED` uses it.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new(mem::MaybeUninit::zeroed()));

/// The abort hook.
fn ask_with_report(report: &Report) {
    if IS_ASKED.swap(true, Relaxed) {
        return;
    }
    let Some(client) = CLIENT.get() else { return };
    let mut json = Buffer { bytes: [0; 4096], len: 0 };
    if report.write_json(&mut json).is_ok() {
        // A server that is gone gets nothing, and the process dies all the same.
        let _ = client.send_message(REPORT, &json.bytes[..json.len]);
    }
    // SAFETY: `IS_ASKED` is ours.
    let context = unsafe { &mut *ROOM.0.get().cast::<CrashContext>() };
    // SAFETY: the registers that failed, valid while the hook runs.
    unsafe { fill(context, report) };
    // It waits for the server. If the server hangs, the deadline of the hook ends the wait.
    let _ = client.request_dump(context);
}

/// Says what a handler of SIGABRT would have been told of the thread that failed.
///
/// # Safety
///
/// `report` is the hook's.
unsafe fn fill(context: &mut CrashContext, report: &Report) {
    let failing = report.context().cast();
    // SAFETY: the caller's clause: a `ucontext_t`, whose form both crates take from the kernel.
    unsafe { ptr::copy_nonoverlapping(failing, &mut context.context, 1) };
    // SAFETY: as above.
    unsafe { copy_float_state(context) };
    (context.pid, context.tid) = (report.pid() as i32, report.tid() as i32);
    context.siginfo.ssi_signo = libc::SIGABRT as u32;
    context.siginfo.ssi_code = libc::SI_TKILL;
    (context.siginfo.ssi_pid, context.siginfo.ssi_uid) = (report.pid(), user());
    if let Some(stack) = report.stack() {
        // What could not be used: readers show it as the crash's address.
        context.siginfo.ssi_signo = libc::SIGSEGV as u32;
        context.siginfo.ssi_code = SEGV_ACCERR;
        context.siginfo.ssi_addr = stack.address as u64;
    }
}

/// A page that is there, and may not be used.
const SEGV_ACCERR: i32 = 2;

fn user() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::getuid() }
}

/// Copies floating point too, where the context has it.
///
/// # Safety
///
/// `context.context` is a copy of a `ucontext_t` that is still there.
#[cfg(target_arch = "x86_64")]
unsafe fn copy_float_state(context: &mut CrashContext) {
    let from = context.context.uc_mcontext.fpregs;
    if !from.is_null() {
        // SAFETY: what the kernel has saved beside the context, of this form.
        unsafe { ptr::copy_nonoverlapping(from, &mut context.float_state, 1) };
    }
}

/// Left out on other machines, where `crash-handler` finds it within the context.
///
/// # Safety
///
/// None.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy_float_state(_: &mut CrashContext) {}

/// A signal that `crash-handler` has taken.
fn on_signal(told: &CrashContext, way: Way) -> CrashEventResult {
    let signal = told.siginfo.ssi_signo as i32;
    if way == Way::Hook && is_overflow(told) {
        // The handler that was there before is FailFast's: it stops the other threads, says what
        // has happened, and calls the hook.
        return CrashEventResult::Handled(false);
    }
    if !IS_ASKED.swap(true, Relaxed)
        && let Some(client) = CLIENT.get()
    {
        // SAFETY: `IS_ASKED` is ours.
        let context = unsafe { &mut *ROOM.0.get().cast::<CrashContext>() };
        // SAFETY: both are whole, and apart; what it holds are numbers.
        unsafe { ptr::copy_nonoverlapping(told, context, 1) };
        if is_fault(signal) {
            // `crash-handler` does not tell the address.
            context.siginfo.ssi_addr = fault_address(told);
        }
        let _ = client.request_dump(context);
    }
    // The process is to die of SIGABRT now; any other signal goes to who was there before.
    CrashEventResult::Handled(signal == libc::SIGABRT)
}

/// Whether a fault is at the end of the stack: near the stack pointer.
fn is_overflow(told: &CrashContext) -> bool {
    const NEAR: u64 = 64 << 10;
    let is_near = fault_address(told).abs_diff(stack_pointer(told)) < NEAR;
    is_fault(told.siginfo.ssi_signo as i32) && is_near
}

fn is_fault(signal: i32) -> bool {
    matches!(signal, libc::SIGSEGV | libc::SIGBUS)
}

#[cfg(target_arch = "x86_64")]
fn fault_address(told: &CrashContext) -> u64 {
    told.context.uc_mcontext.gregs[libc::REG_CR2 as usize] as u64
}

#[cfg(target_arch = "x86_64")]
fn stack_pointer(told: &CrashContext) -> u64 {
    told.context.uc_mcontext.gregs[libc::REG_RSP as usize] as u64
}

#[cfg(target_arch = "aarch64")]
fn fault_address(told: &CrashContext) -> u64 {
    told.context.uc_mcontext.fault_address
}

#[cfg(target_arch = "aarch64")]
fn stack_pointer(told: &CrashContext) -> u64 {
    told.context.uc_mcontext.sp
}

/// Text in a place that is there already.
struct Buffer {
    bytes: [u8; 4096],
    len: usize,
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let to = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        to.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}
