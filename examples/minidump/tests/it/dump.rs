//! What is in a minidump.

use std::ops::Range;
use std::path::Path;

use minidump::system_info::{Cpu, Os};
use minidump::{
    Minidump, MinidumpException, MinidumpMiscInfo, MinidumpModuleList, MinidumpSystemInfo,
    MinidumpThreadList, MinidumpThreadNames, Module,
};
use serde_json::Value;

/// The stream that holds the report.
const REPORT_STREAM: u32 = 0x4646_0001;

/// A thread, as it was.
pub(crate) struct Thread {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) pointer: u64,
    pub(crate) stack: Range<u64>,
    /// The words on its stack, from the stack pointer up.
    pub(crate) words: Vec<u64>,
}

/// What the tests look at.
pub(crate) struct Dump {
    pub(crate) threads: Vec<Thread>,
    pub(crate) failing: u32,
    pub(crate) signal: u32,
    pub(crate) address: u64,
    /// The stack pointer that the exception names.
    pub(crate) pointer: u64,
    pub(crate) report: Option<Value>,
}

impl Dump {
    /// The thread that failed.
    pub(crate) fn failing(&self) -> &Thread {
        self.threads.iter().find(|thread| thread.id == self.failing).expect("the failing thread")
    }
}

/// Reads a minidump, all of which must be sound.
pub(crate) fn read(path: &Path) -> Dump {
    let dump = Minidump::read_path(path).unwrap();
    let system = dump.get_stream::<MinidumpSystemInfo>().unwrap();
    assert_eq!((system.os, cfg!(target_arch = "x86_64")), (Os::Linux, system.cpu == Cpu::X86_64));
    let misc = dump.get_stream::<MinidumpMiscInfo>().ok();
    let memory = dump.get_memory().unwrap();
    let modules = dump.get_stream::<MinidumpModuleList>().unwrap();
    let names = dump.get_stream::<MinidumpThreadNames>().unwrap();

    let mut threads = Vec::new();
    for thread in &dump.get_stream::<MinidumpThreadList>().unwrap().threads {
        let id = thread.raw.thread_id;
        let name = names.get_name(id).map_or(format!("? {id}"), |name| name.trim().to_string());
        let context = thread.context(&system, misc.as_ref()).unwrap();
        let pointer = context.get_stack_pointer();
        let at = context.get_instruction_pointer();
        assert!(modules.module_at_address(at).is_some(), "`{name}` is at {at:#x}, in no file");
        let stack = thread.stack_memory(&memory).unwrap_or_else(|| panic!("no stack of `{name}`"));
        let range = stack.base_address()..stack.base_address() + stack.bytes().len() as u64;
        let above = pointer.saturating_sub(range.start) as usize;
        let words = stack.bytes().get(above..).unwrap_or_default().chunks_exact(8);
        let words = words.map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        threads.push(Thread { id, name, pointer, stack: range, words });
    }
    assert!(modules.main_module().unwrap().code_file().contains("minidump-example"));

    let exception = dump.get_stream::<MinidumpException<'_>>().unwrap();
    let context = exception.context(&system, misc.as_ref()).unwrap();
    let report = dump.get_raw_stream(REPORT_STREAM).ok();
    Dump {
        threads,
        failing: exception.get_crashing_thread_id(),
        signal: exception.raw.exception_record.exception_code,
        address: exception.get_crash_address(system.os, system.cpu),
        pointer: context.get_stack_pointer(),
        report: report.map(|bytes| serde_json::from_slice(bytes).unwrap()),
    }
}
