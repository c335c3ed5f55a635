//! What the rules are, as tables. `ARCHITECTURE.md` says why.

/// Every module, bottom-up: its name, its layer, and the modules it may use.
pub(crate) const MAY_USE: &[(&str, u32, &[&str])] = &[
    ("bytes", 0, &[]),
    ("sync", 0, &[]),
    ("sys", 1, &["bytes", "sync"]),
    ("cause", 2, &[]),
    ("ledger", 2, &["sync"]),
    ("record", 2, &["sync", "cause", "report"]),
    ("report", 2, &["bytes", "cause"]),
    ("config", 3, &["bytes", "sync", "sys", "report", "record"]),
    ("thread", 3, &["sync", "sys", "ledger"]),
    ("terminate", 4, &["sync", "sys", "cause", "report", "record", "config", "thread"]),
    ("stack", 5, &["sync", "sys", "cause", "report", "config", "thread", "terminate"]),
    (
        "alloc",
        6,
        &[
            "bytes",
            "sync",
            "sys",
            "cause",
            "ledger",
            "report",
            "config",
            "thread",
            "terminate",
            "stack",
        ],
    ),
    ("cluster", 7, &["sync", "sys", "ledger", "config", "terminate", "alloc"]),
    ("limits", 7, &["config"]),
    ("supervise", 8, &["sync", "sys", "cause", "record", "report", "config"]),
];

/// Programs: above all layers, and outside the library, whose public names alone they have. The
/// doors hold for them too.
pub(crate) const PROGRAMS: &str = "src/bin/";

/// A word that only some files may name.
pub(crate) struct Door {
    pub words: &'static [&'static str],
    /// Files, or folders with a slash at the end.
    pub keepers: &'static [&'static str],
    pub instead: &'static str,
}

/// Looked for in code.
pub(crate) const DOORS: &[Door] = &[
    Door {
        words: &["libc", "target_os"],
        keepers: &["src/sys/"],
        instead: "add a function to src/sys that says what is wanted, and call that",
    },
    Door {
        words: &["core::sync::atomic", "std::sync::atomic", "loom::"],
        keepers: &["src/sync.rs"],
        instead: "use crate::sync, which is loom's in a model",
    },
    Door {
        words: &["asm!", "global_asm!", "naked_asm!"],
        keepers: &[
            "src/sync.rs",
            "src/sys/raw.rs",
            "src/sys/clone.rs",
            "src/sys/registers.rs",
            "src/sys/sanitizer/symbols.rs",
            "src/sys/switch.rs",
            "src/sys/interpose/interceptor.rs",
            "src/thread/x86_64.rs",
            "src/alloc/c_threads/door.rs",
            "src/alloc/hot/x86_64.rs",
            "src/alloc/hot/here_x86_64.rs",
        ],
        instead: "keep assembly in the few files that hold nothing else, or add this one to the \
                  list in tests/tidy/tables.rs and say in its header why Rust cannot do it",
    },
];

/// Looked for in strings: the kernel's files.
pub(crate) const PATH_DOOR: Door = Door {
    words: &["/proc", "/sys/"],
    // `config` walks a tree of files that `sys` opens, which in tests is a made-up one.
    keepers: &["src/sys/", "src/config/"],
    instead: "let src/sys open the kernel's files",
};

/// Words that a file of the data plane or the failure plane does not use, and why not.
pub(crate) const BANNED: &[(&[&str], &str)] = &[
    (
        &["Box", "Vec", "String", "Rc", "Arc", "HashMap", "BTreeMap", "VecDeque", "CString"],
        "it allocates, inside the allocator: use a value of fixed size",
    ),
    (
        &["format!", "vec!", ".to_string(", ".to_owned(", ".to_vec(", ".into_boxed_slice("],
        "it allocates, inside the allocator: write into a FixedWriter",
    ),
    (
        &["println!", "eprintln!", "print!", "eprint!"],
        "it locks and may panic: write with one call of src/sys",
    ),
    (
        &[
            ".unwrap(",
            ".unwrap_err(",
            ".expect(",
            ".expect_err(",
            "panic!",
            "unreachable!",
            concat!("to", "do!"),
            "unimplemented!",
        ],
        "a panic allocates and unwinds: return an answer, or go on dying",
    ),
    (
        &["assert!", "assert_eq!", "assert_ne!"],
        "a panic allocates and unwinds: use debug_assert! (data plane alone) or a const assertion",
    ),
    (
        &[
            "parking_lot",
            "once_cell::sync",
            "std::sync::Mutex",
            "std::sync::RwLock",
            "std::sync::Once",
            "std::sync::OnceLock",
            "std::sync::LazyLock",
        ],
        "it can block on itself inside the allocator, and allocate when contended: use crate::sync",
    ),
    (
        &["std::thread", "std::fs", "std::env", "std::io", "std::process", "std::net"],
        "it allocates or locks: use src/sys",
    ),
];

/// As [`BANNED`], while dying alone.
pub(crate) const BANNED_WHILE_DYING: &[(&[&str], &str)] = &[(
    &["debug_assert!", "debug_assert_eq!", "debug_assert_ne!"],
    "a debug build has to die as cleanly: degrade, and go on dying",
)];

/// A word in a file that the tables above would not allow there, once, with its reason.
pub(crate) const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "src/alloc/start.rs",
        "Box",
        "the constructor's one allocation, whose purpose is to reach the declared allocator",
    ),
    (
        "src/terminate/hook.rs",
        "Box",
        "setting the hook, and taking it back, are of the control plane and stand beside its call",
    ),
    (
        "src/terminate/hook.rs",
        "std::thread",
        "whether a thread is panicking is two counts to read, and only the library has them",
    ),
];

/// Functions that may be longer than [`FUNCTION_LINES_MAX`](crate::shape::FUNCTION_LINES_MAX), and
/// why: the folder, and the name.
pub(crate) const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    ("tests/death/rows/", "rows", "a table, one statement a row, that no loop could shorten"),
    ("tests/death/rows/", "failing", "a table, as above"),
    ("tests/stacks/tests/stacks/rows/", "rows", "a table, as above"),
    ("tests/stacks/tests/stacks/rows/", "overflowing", "a table, as above"),
];

/// Files that may be longer than [`FILE_LINES_MAX`](crate::shape::FILE_LINES_MAX), and why.
pub(crate) const LONG_FILES: &[(&str, &str)] = &[
    ("src/alloc/mod.rs", "the public allocator: half of it is its documentation"),
    ("src/cluster/handle.rs", "the public handle: most of it is its documentation"),
    ("src/ledger/cold.rs", "one protocol, to be read in one piece beside its specification"),
    ("src/ledger/recall.rs", "one protocol, to be read in one piece beside its specification"),
    ("src/ledger/slot.rs", "one protocol, to be read in one piece beside its specification"),
    (
        "src/supervise/command.rs",
        "the public builder: a method of a few lines for each thing that can be set",
    ),
];
