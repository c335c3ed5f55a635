//! A report, read back: tolerant where the schema says so, and never a wrong verdict.
//!
//! Above the layers.  Plane: control.
//!
//! The schema (`docs/report-schema.md`) may grow by members, causes and outcomes, so what is not
//! known is kept and shown as it is. What is known and has the wrong type is left out, and
//! complained of. Without its version or its cause a report says nothing; one of a newer version
//! may say something else by the same words. Both are errors.
//!
//! * `find`: reports among log lines, in pod statuses, within strings.
//! * `members`: members of the type that the schema gives them.

mod find;
mod members;

pub(crate) use find::{Found, find};
use members::Members;
use serde_json::{Map, Value};

/// The version of the schema that is read here.
pub(crate) const SCHEMA: u64 = 1;
/// The schema keeps 64 frames, 16 modules and 16 clusters. What is given here may have more.
const ROWS_MAX: usize = 256;

/// A number, or the null that says there is none; `None` if the report says neither.
pub(crate) type OrNull = Option<Option<u64>>;

/// What is known about a death.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) cause: String,
    pub(crate) message: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) requested: Option<u64>,
    pub(crate) align: Option<u64>,
    pub(crate) live: Option<u64>,
    pub(crate) peak: Option<u64>,
    pub(crate) budget: OrNull,
    pub(crate) resident: OrNull,
    pub(crate) cgroup_current: OrNull,
    pub(crate) cgroup_limit: OrNull,
    pub(crate) stack: Option<Stack>,
    pub(crate) pid: Option<u64>,
    pub(crate) tid: Option<u64>,
    pub(crate) thread: Option<String>,
    pub(crate) time: Option<String>,
    /// Seen, and halted.
    pub(crate) threads: Option<(u64, u64)>,
    pub(crate) halt: Option<String>,
    pub(crate) hook: Option<String>,
    pub(crate) hook_failure: Option<String>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) modules: Vec<Module>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) version: Option<String>,
    pub(crate) cut: Option<Cut>,
    /// What was not as the schema has it.
    pub(crate) complaints: Vec<String>,
    /// All that was there.
    pub(crate) whole: Map<String, Value>,
}

/// The stack that ran out.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub(crate) found_by: Option<String>,
    pub(crate) address: Option<u64>,
    pub(crate) pointer: Option<u64>,
    pub(crate) low: Option<u64>,
    pub(crate) high: Option<u64>,
    pub(crate) used: Option<u64>,
    pub(crate) budget: OrNull,
}

/// One place of the backtrace.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) address: Option<u64>,
    /// An index into the modules, known to be good; and the distance from its base.
    pub(crate) place: Option<(usize, u64)>,
}

/// A file that frames are in.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) path: String,
    pub(crate) deleted: bool,
}

/// What a cluster held.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) live: u64,
    pub(crate) budget: OrNull,
}

/// How much the report had to leave out.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) message_bytes: u64,
    pub(crate) frames: u64,
    /// After so many of those that there are; null if the outermost are missing.
    pub(crate) frames_after: Option<u64>,
    pub(crate) clusters: u64,
}

/// Why an object is no report that can be read here.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    /// Of a later version.
    Newer(u64),
    /// `failfast` is no version.
    NoVersion,
    /// There is no cause.
    NoCause,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer(version) => write!(
                f,
                "the report is of schema {version}; this failfast knows {SCHEMA}: install a newer \
                 one"
            ),
            Self::NoVersion => {
                write!(f, "`failfast` is not the version of a report's schema; expected {SCHEMA}")
            }
            Self::NoCause => f.write_str("`cause` is missing or not a string"),
        }
    }
}

impl Report {
    /// Reads a report out of `whole`, which has a member `failfast`.
    pub(crate) fn read(whole: Map<String, Value>) -> Result<Self, Unreadable> {
        match whole.get("failfast").and_then(Value::as_u64) {
            Some(SCHEMA) => {}
            Some(version) if version > SCHEMA => return Err(Unreadable::Newer(version)),
            _ => return Err(Unreadable::NoVersion),
        }
        let cause = whole.get("cause").and_then(Value::as_str).ok_or(Unreadable::NoCause)?;
        let mut report = Self { cause: cause.to_string(), ..Self::default() };
        let mut complaints = Vec::new();
        report.fill(&mut Members::new(&whole, "", &mut complaints));
        report.complaints = complaints;
        report.whole = whole;
        Ok(report)
    }

    fn fill(&mut self, members: &mut Members<'_>) {
        self.message = members.string_or_null("message");
        self.cluster = members.string("cluster");
        self.requested = members.number("requested_bytes");
        self.align = members.number("align");
        self.live = members.number("live_bytes");
        self.peak = members.number("peak_bytes");
        self.budget = members.number_or_null("budget_bytes");
        self.resident = members.number_or_null("resident_bytes");
        self.cgroup_current = members.number_or_null("cgroup_current_bytes");
        self.cgroup_limit = members.number_or_null("cgroup_limit_bytes");
        self.stack = members.object_or_null("stack", Stack::read);
        self.pid = members.number("pid");
        self.tid = members.number("tid");
        self.thread = members.string_or_null("thread");
        self.time = members.string("time");
        self.threads = members
            .object_or_null("threads", |it| Some((it.number("seen")?, it.number("halted")?)))
            .flatten();
        self.halt = members.string("halt");
        self.hook = members.string("hook");
        self.hook_failure = members.string_or_null("hook_failure");
        self.modules = members.objects("modules", Module::read);
        let modules = self.modules.len();
        self.frames = members.objects("backtrace", |it| Frame::read(it, modules));
        self.clusters = members.objects("clusters", Cluster::read).into_iter().flatten().collect();
        self.version = members.string("version");
        self.cut = members.object_or_null("cut", Cut::read);
    }
}

impl Stack {
    fn read(members: &mut Members<'_>) -> Self {
        Self {
            found_by: members.string("found_by"),
            address: members.address("address"),
            pointer: members.address("pointer"),
            low: members.address("low"),
            high: members.address("high"),
            used: members.number("used_bytes"),
            budget: members.number_or_null("budget_bytes"),
        }
    }
}

impl Frame {
    fn read(members: &mut Members<'_>, modules: usize) -> Self {
        let address = members.address("addr");
        if !members.has("module") {
            return Self { address, place: None };
        }
        let module = members.number("module").and_then(|it| usize::try_from(it).ok());
        let place = module.zip(members.address("offset"));
        if place.is_some_and(|(module, _)| module >= modules) {
            members.complain("module", "is no index into `modules`");
            return Self { address, place: None };
        }
        Self { address, place }
    }
}

impl Module {
    /// A module that cannot be read keeps its index.
    fn read(members: &mut Members<'_>) -> Self {
        let path = members.string("path").unwrap_or_default();
        let deleted = members.has("deleted") && members.boolean("deleted").unwrap_or(false);
        Self { path, deleted }
    }
}

impl Cluster {
    fn read(members: &mut Members<'_>) -> Option<Self> {
        let (name, live) = (members.string("name"), members.number("live_bytes"));
        let budget = members.number_or_null("budget_bytes");
        Some(Self { name: name?, live: live?, budget })
    }
}

impl Cut {
    fn read(members: &mut Members<'_>) -> Self {
        let mut number = |name| members.number(name).unwrap_or(0);
        Self {
            message_bytes: number("message_bytes"),
            frames: number("backtrace"),
            clusters: number("clusters"),
            frames_after: members.number_or_null("backtrace_after").flatten(),
        }
    }
}
