//! What the kernel says about a fault.
//!
//! Layer 1.  Plane: failure.

use core::ffi::{c_int, c_void};

use super::registers::stack_pointer;
use super::signal::{self, Action, Handler, Saved};

/// A signal, as a handler was told of it.
pub(crate) struct Fault {
    /// Which.
    pub(crate) signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
}

impl Fault {
    /// Takes a handler's arguments together.
    ///
    /// # Safety
    ///
    /// They are the arguments of a handler with `SA_SIGINFO` that has not returned yet.
    pub(crate) unsafe fn new(
        signal: c_int,
        info: *mut libc::siginfo_t,
        context: *mut c_void,
    ) -> Self {
        Self { signal, info, context }
    }

    /// The registers and the mask that it interrupted: a `ucontext_t`.
    pub(crate) fn context(&self) -> *mut c_void {
        self.context
    }

    /// Why it was sent (`si_code`).
    pub(crate) fn code(&self) -> c_int {
        // SAFETY: valid by the contract of `new`.
        unsafe { (*self.info).si_code }
    }

    /// Whether the thread's own instruction caused it, rather than `kill`, `raise` or a timer.
    pub(crate) fn is_by_instruction(&self) -> bool {
        self.code() > 0
    }

    /// Whether somebody sent it to the process as a whole (`kill`), and not a thread to itself.
    pub(crate) fn is_sent_to_process(&self) -> bool {
        self.code() == libc::SI_USER
    }

    /// The address that could not be used.
    pub(crate) fn address(&self) -> usize {
        // SAFETY: valid by the contract of `new`.
        let info = unsafe { &*self.info };
        // SAFETY: any signal's union may be read as an address.
        unsafe { info.si_addr() }.addr()
    }

    /// Where the thread's stack was.
    pub(crate) fn stack_pointer(&self) -> usize {
        let context = self.context.cast::<libc::ucontext_t>();
        #[cfg(target_arch = "x86_64")]
        // SAFETY: valid by the contract of `new`.
        let sp = unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] } as usize;
        #[cfg(target_arch = "aarch64")]
        // SAFETY: valid by the contract of `new`.
        let sp = unsafe { (*context).uc_mcontext.sp } as usize;
        sp
    }

    /// The instruction.
    pub(crate) fn instruction(&self) -> usize {
        let context = self.context.cast::<libc::ucontext_t>();
        #[cfg(target_arch = "x86_64")]
        // SAFETY: valid by the contract of `new`.
        let pc = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] } as usize;
        #[cfg(target_arch = "aarch64")]
        // SAFETY: valid by the contract of `new`.
        let pc = unsafe { (*context).uc_mcontext.pc } as usize;
        pc
    }

    /// The alternate stack that the thread had, from its lowest address to past its highest.
    pub(crate) fn alternate_stack(&self) -> Option<(usize, usize)> {
        let context = self.context.cast::<libc::ucontext_t>();
        // SAFETY: valid by the contract of `new`.
        let stack = unsafe { (*context).uc_stack };
        let low = stack.ss_sp.addr();
        (stack.ss_flags & libc::SS_DISABLE == 0).then_some((low, low + stack.ss_size))
    }

    /// How much is left of the alternate stack that the caller, a handler, is on. `None` if it is
    /// on none.
    pub(crate) fn room_on_alternate(&self) -> Option<usize> {
        let ((low, high), here) = (self.alternate_stack()?, stack_pointer());
        (low..high).contains(&here).then(|| here - low)
    }

    /// Has the thread's mask be what it was before this signal.
    pub(crate) fn restore_mask(&self) {
        let context = self.context.cast::<libc::ucontext_t>();
        // SAFETY: valid by the contract of `new`.
        let mask = unsafe { &raw const (*context).uc_sigmask };
        // SAFETY: as above; the kernel's mask is the first word of the C library's set.
        let mask = unsafe { mask.cast::<u64>().read() };
        signal::exchange_mask(mask);
    }

    /// Has the signal answered as if the handler that is running were not there.
    ///
    /// # Safety
    ///
    /// `before` holds what was in force for this signal before that handler was installed.
    pub(crate) unsafe fn pass_on(&self, before: &Saved) {
        let action = before.get();
        match action.handler {
            libc::SIG_IGN if !self.is_by_instruction() => {}
            libc::SIG_DFL | libc::SIG_IGN => self.take_default(),
            _ => {
                if action.flags & libc::SA_RESETHAND as usize != 0 {
                    before.set(&Action::DEFAULT);
                }
                self.block_for(&action);
                // SAFETY: a handler that was in force for this signal.
                unsafe { self.call(&action) };
            }
        }
    }

    /// The default action: what the instruction did is done again, and ends the process; what
    /// somebody sent is sent again.
    fn take_default(&self) {
        // SAFETY: the default action.
        let ours = unsafe { signal::exchange_action(self.signal, &Action::DEFAULT) };
        if self.is_by_instruction() {
            return;
        }
        signal::send_to_self(self.signal);
        // Still there: the first process of a namespace, which nothing sent ends by default.
        if let Some(ours) = ours {
            // SAFETY: what was in force until now.
            unsafe { signal::set_action(self.signal, &ours) };
        }
    }

    /// Blocks what the kernel would block for a handler of `action`; the return from the signal
    /// undoes it.
    fn block_for(&self, action: &Action) {
        let itself = if action.flags & libc::SA_NODEFER as usize == 0 {
            signal::bit(self.signal)
        } else {
            0
        };
        signal::block(action.mask | itself);
    }

    /// Calls the handler of `action`, with exactly what we were told, in the form it asked for.
    ///
    /// # Safety
    ///
    /// `action` has a handler, and was in force for this signal.
    unsafe fn call(&self, action: &Action) {
        let handler = core::ptr::with_exposed_provenance::<()>(action.handler);
        if action.flags & libc::SA_SIGINFO as usize == 0 {
            // SAFETY: the caller's clause: an address that the kernel would have called like this.
            let handler =
                unsafe { core::mem::transmute::<*const (), unsafe extern "C" fn(c_int)>(handler) };
            // SAFETY: its owner installed it for this signal.
            unsafe { handler(self.signal) };
        } else {
            // SAFETY: as above, with SA_SIGINFO.
            let handler = unsafe { core::mem::transmute::<*const (), Handler>(handler) };
            // SAFETY: as above.
            unsafe { handler(self.signal, self.info, self.context) };
        }
    }
}

/// Whether a handler was in force.
pub(crate) fn has_handler(before: &Saved) -> bool {
    !matches!(before.get().handler, libc::SIG_DFL | libc::SIG_IGN)
}

/// Calls a SIGABRT handler as the kernel would for `abort` in the thread that `context` is of; but
/// faults stay open whatever it wants blocked, so that one inside it does not end the process by
/// another signal.
///
/// # Safety
///
/// * `before` holds a handler that was in force for SIGABRT.
/// * `context` is a `ucontext_t` that stays where it is.
pub(crate) unsafe fn tell_of_abort(before: &Saved, context: *mut c_void) {
    // The kernel's `siginfo_t`: 128 bytes that begin with number, errno, code; then, from byte 16,
    // who has sent it.
    #[repr(align(8))]
    struct Words([u32; 32]);
    let mut info = Words([0; 32]);
    // SAFETY: no preconditions.
    let user = unsafe { libc::getuid() };
    info.0[0] = libc::SIGABRT as u32;
    info.0[2] = libc::SI_TKILL as u32;
    (info.0[4], info.0[5]) = (super::process::pid(), user);
    // SAFETY: both are such as a handler gets, and outlive its call.
    let fault = unsafe { Fault::new(libc::SIGABRT, (&raw mut info).cast(), context) };
    let action = before.get();
    let faults = signal::OWN_FAULTS_MASK & !signal::bit(libc::SIGABRT);
    fault.block_for(&Action { mask: action.mask & !faults, ..action });
    // SAFETY: the first clause.
    unsafe { fault.call(&action) }
}
