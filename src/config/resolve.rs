//! From what was asked for to what holds.
//!
//! Layer 3.  Plane: data.
//!
//! Three passes, so that all that is wrong is said at once and nothing is opened for a value that
//! another one replaces: what code says, what the environment says, what the machine says to that.

use super::asked::Config;
use super::choice::{Limit, ReportTo};
use super::group;
use super::judge::{Judge, place};
use super::line::{Fault, Place, Sink, complain};
use super::options::{Key, OPTIONS, Spec};
use super::program;
use super::report_to::{self, Target};
use super::scan::{RECORD, Values, scan};
use super::settings::{Settings, Source};
use super::settle::{self, Draft, Machine};
use super::value;
use crate::record::Address;
use crate::sys::{file, process};

/// Something was wrong, and every such thing was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused;

/// What lies around the process.
pub(crate) struct World<'w, E> {
    /// The entries of the environment, `NAME=value`.
    pub(crate) environment: E,
    /// Whether the program has more rights than whoever started it: then the environment does not
    /// count.
    pub(crate) secure: bool,
    /// Put before the paths of the kernel's files; empty but in tests.
    pub(crate) root: &'w [u8],
}

/// [`resolve`] in the process's own world, its lines on standard error.
pub(crate) fn resolve_here(config: &Config, settings: &mut Settings) -> Result<(), Refused> {
    let world =
        World { environment: process::environment(), secure: process::is_secure(), root: b"" };
    resolve(config, world, settings, &mut |line| {
        // A closed standard error takes no line; the exit status still tells.
        let _ = file::write_all(2, line);
    })
}

/// Fills `settings`, which are [`Settings::new`] so far, with what `config` and `world` ask for.
///
/// What is wrong is said to `sink`, a line each, and has no part in the settings: where a variable
/// does not parse code counts, and where code is wrong the default.
pub(crate) fn resolve<'e, E>(
    config: &Config,
    world: World<'_, E>,
    settings: &mut Settings,
    sink: Sink<'_>,
) -> Result<(), Refused>
where
    E: Iterator<Item = &'e [u8]> + Clone,
{
    let mut judge = Judge { sink, all_well: true };
    let mut draft = from_code(config, settings, &mut judge);
    if !config.ignore_env && !world.secure {
        let (values, all_well) = scan(world.environment, judge.sink);
        judge.all_well &= all_well;
        for spec in &OPTIONS {
            if let Some(text) = values.get(spec.key) {
                from_text(spec, text, &mut draft, settings, &mut judge);
            }
        }
        if let Some(text) = values.record() {
            settings.record = Address::parse(text);
            if settings.record.is_none() {
                judge.all_well = false;
                let (place, fault) =
                    (Place::new(RECORD), Fault::new("says of no record where it is"));
                complain(judge.sink, place, text, fault, "what a supervisor sets");
            }
        }
        draft.values = values;
    } else if !world.secure {
        // What is told to a supervisor changes nothing here, so it is told all the same.
        let (values, _) = scan(world.environment, &mut |_| {});
        settings.record = values.record().and_then(Address::parse);
    }
    let mut machine = Machine::new(world.root);
    settle::budget(&draft, settings, &mut machine, &mut judge);
    settle::reserve(&draft, settings, &mut machine, &mut judge);
    settle::files(&draft, settings, &mut judge);
    settings.group = group::find(world.root);
    if judge.all_well { Ok(()) } else { Err(Refused) }
}

/// Who said `given`, if code did at all.
fn said<T: PartialEq>(given: T, default: T) -> Source {
    if given == default { Source::Default } else { Source::Code }
}

fn from_code<'e>(config: &Config, settings: &mut Settings, judge: &mut Judge<'_>) -> Draft<'e> {
    let default = Config::new();
    let budget = judge.code(Key::Budget, config.budget, value::check_limit);
    let budget = budget.unwrap_or(default.budget);
    if let Some((place, _)) = place(Key::ClusterBudgets, Source::Code) {
        let budgets = config.cluster_budgets;
        judge.all_well &= settings.cluster_budgets.set_code(budgets, place, judge.sink);
    }
    let stack = judge.code(Key::StackBudget, config.stack_budget, value::check_stack_limit);
    let stack = stack.unwrap_or(default.stack_budget);
    set_stack_budget(settings, stack, said(stack, default.stack_budget));
    let reserve = judge.code(Key::Reserve, config.reserve, value::check_size);
    let reserve = reserve.unwrap_or(default.reserve);
    let timeout = judge.code(Key::HookTimeout, config.hook_timeout, value::check_time);
    settings.hook_timeout = timeout.unwrap_or(default.hook_timeout);
    settings.abort_mode = config.abort_mode;
    settings.mode = config.mode;
    let report = match config.report {
        ReportTo::Nowhere => Target::Nowhere,
        ReportTo::Fd(fd) => Target::Fd(fd),
        ReportTo::File(path) => Target::File(path.as_bytes()),
    };
    Draft {
        budget: (budget, said(budget, default.budget)),
        reserve: (reserve, said(reserve, default.reserve)),
        report: (report, said(config.report, default.report)),
        exec: config.exec.map(|path| (path.as_bytes(), Source::Code)),
        values: Values::default(),
    }
}

fn from_text<'e>(
    spec: &Spec,
    text: &'e [u8],
    draft: &mut Draft<'e>,
    settings: &mut Settings,
    judge: &mut Judge<'_>,
) {
    const FROM: Source = Source::Environment;
    let key = spec.key;
    if text.is_empty() {
        return judge.object(key, FROM, text, Fault::new("is empty"));
    }
    match key {
        Key::Budget => {
            set(&mut draft.budget, judge.text(key, text, value::limit).map(|it| (it, FROM)));
        }
        Key::ClusterBudgets => {
            let (place, budgets) = (Place::new(spec.name), &mut settings.cluster_budgets);
            judge.all_well &= budgets.set_environment(text, place, judge.sink);
        }
        Key::StackBudget => {
            if let Some(limit) = judge.text(key, text, value::stack_limit) {
                set_stack_budget(settings, limit, FROM);
            }
        }
        Key::Reserve => {
            set(&mut draft.reserve, judge.text(key, text, value::size).map(|it| (it, FROM)));
        }
        Key::HookTimeout => set(&mut settings.hook_timeout, judge.text(key, text, value::time)),
        Key::Report => {
            let target = judge.text(key, text, report_to::target);
            set(&mut draft.report, target.map(|it| (it, FROM)));
        }
        Key::Exec => draft.exec = (!program::is_none(text)).then_some((text, FROM)),
        Key::ExecTimeout => settings.exec_timeout = judge.text(key, text, value::time),
        Key::Abort => set(&mut settings.abort_mode, judge.text(key, text, value::abort_mode)),
        Key::Mode => set(&mut settings.mode, judge.text(key, text, value::mode)),
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn set_stack_budget(settings: &mut Settings, limit: Limit, source: Source) {
    settings.stack_budget_source = source;
    settings.stack_budget_bytes = match limit {
        Limit::Bytes(bytes) => bytes,
        _ => usize::MAX,
    };
}

#[cfg(test)]
mod tests;
