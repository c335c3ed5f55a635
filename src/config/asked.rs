//! What code asks for.
//!
//! Layer 3.  Plane: data.

use core::time::Duration;

use super::choice::{AbortMode, Limit, Mode, ReportTo};
use super::line::{Line, Place, Sink};
use super::text::shown;

/// All that one `FailFast` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Config {
    pub(super) budget: Limit,
    pub(super) cluster_budgets: &'static [(&'static str, Limit)],
    pub(super) stack_budget: Limit,
    pub(super) reserve: usize,
    pub(super) hook_timeout: Duration,
    pub(super) report: ReportTo,
    pub(super) exec: Option<&'static str>,
    pub(super) abort_mode: AbortMode,
    pub(super) mode: Mode,
    pub(super) ignore_env: bool,
}

impl Config {
    /// What holds where neither code nor environment says anything.
    pub(crate) const fn new() -> Self {
        Self {
            budget: Limit::Unlimited,
            cluster_budgets: &[],
            stack_budget: Limit::Unlimited,
            reserve: 256 << 10,
            hook_timeout: Duration::from_secs(5),
            report: ReportTo::Nowhere,
            exec: None,
            abort_mode: AbortMode::Chain,
            mode: Mode::Enforce,
            ignore_env: false,
        }
    }

    /// A number that equal configurations share and others do not (FNV-1a, 64 bits, of all that was
    /// set; never zero): what a call can compare without looking at the whole.
    pub(crate) const fn digest(&self) -> u64 {
        let mut sum = Digest::new()
            .limit(self.budget)
            .limit(self.stack_budget)
            .word(self.reserve as u64)
            .word(self.hook_timeout.as_secs())
            .word(self.hook_timeout.subsec_nanos() as u64)
            .word(matches!(self.abort_mode, AbortMode::Chain) as u64)
            .word(matches!(self.mode, Mode::Enforce) as u64)
            .word(self.ignore_env as u64);
        sum = match self.report {
            ReportTo::Nowhere => sum.word(0),
            ReportTo::File(path) => sum.word(1).text(path),
            ReportTo::Fd(fd) => sum.word(2).word(fd as u64),
        };
        sum = match self.exec {
            None => sum.word(0),
            Some(program) => sum.word(1).text(program),
        };
        let mut rest = self.cluster_budgets;
        while let [(name, limit), tail @ ..] = rest {
            sum = sum.text(name).limit(*limit);
            rest = tail;
        }
        sum.0 | 1
    }

    pub(crate) const fn budget(self, budget: Limit) -> Self {
        Self { budget, ..self }
    }

    pub(crate) const fn cluster_budgets(self, by_name: &'static [(&'static str, Limit)]) -> Self {
        Self { cluster_budgets: by_name, ..self }
    }

    pub(crate) const fn stack_budget(self, stack_budget: Limit) -> Self {
        Self { stack_budget, ..self }
    }

    pub(crate) const fn reserve(self, reserve: usize) -> Self {
        Self { reserve, ..self }
    }

    pub(crate) const fn hook_timeout(self, hook_timeout: Duration) -> Self {
        Self { hook_timeout, ..self }
    }

    pub(crate) const fn report(self, report: ReportTo) -> Self {
        Self { report, ..self }
    }

    pub(crate) const fn exec(self, program: &'static str) -> Self {
        Self { exec: Some(program), ..self }
    }

    pub(crate) const fn abort_mode(self, abort_mode: AbortMode) -> Self {
        Self { abort_mode, ..self }
    }

    pub(crate) const fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub(crate) const fn ignore_env(self) -> Self {
        Self { ignore_env: true, ..self }
    }
}

/// A sum of what is fed to it (Fowler, Noll, Vo: FNV-1a).
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    const fn bytes(mut self, mut bytes: &[u8]) -> Self {
        while let [first, rest @ ..] = bytes {
            self = self.byte(*first);
            bytes = rest;
        }
        self
    }

    const fn word(self, word: u64) -> Self {
        self.bytes(&word.to_le_bytes())
    }

    const fn text(self, text: &str) -> Self {
        self.word(text.len() as u64).bytes(text.as_bytes())
    }

    const fn limit(self, limit: Limit) -> Self {
        match limit {
            Limit::Unlimited => self.word(0),
            Limit::Auto => self.word(1),
            Limit::Bytes(bytes) => self.word(2).word(bytes as u64),
            Limit::Percent(percent) => self.word(3).word(percent as u64),
        }
    }
}

/// Says in what `second`, the configuration of another allocator, differs from the one that holds.
pub(crate) fn complain_of_second(first: &Config, second: &Config, sink: Sink<'_>) {
    let differences = [
        (first.budget != second.budget, "FailFast::budget", shown(second.budget)),
        (
            first.cluster_budgets != second.cluster_budgets,
            "FailFast::cluster_budgets",
            shown(second.cluster_budgets),
        ),
        (
            first.stack_budget != second.stack_budget,
            "FailFast::stack_budget",
            shown(second.stack_budget),
        ),
        (first.reserve != second.reserve, "FailFast::reserve", shown(second.reserve)),
        (
            first.hook_timeout != second.hook_timeout,
            "FailFast::hook_timeout",
            shown(second.hook_timeout),
        ),
        (first.report != second.report, "FailFast::report", shown(second.report)),
        (first.exec != second.exec, "FailFast::exec", shown(second.exec)),
        (first.abort_mode != second.abort_mode, "FailFast::abort_mode", shown(second.abort_mode)),
        (first.mode != second.mode, "FailFast::mode", shown(second.mode)),
        (first.ignore_env != second.ignore_env, "FailFast::ignore_env", shown(second.ignore_env)),
    ];
    for (_, builder, value) in differences.iter().filter(|(differs, _, _)| *differs) {
        Line::new()
            .place(Place::new(builder))
            .quoted(value.bytes())
            .text(" is what a second FailFast asks for; expected what the first one does, ")
            .text("or nothing but defaults: all share one configuration")
            .say(sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default, and everything else but one thing.
    fn others() -> [Config; 10] {
        let new = Config::new;
        [
            new().budget(Limit::mib(1)),
            new().cluster_budgets(&[("a", Limit::Bytes(1))]),
            new().stack_budget(Limit::mib(1)),
            new().reserve(1),
            new().hook_timeout(Duration::from_millis(5001)),
            new().report(ReportTo::Fd(2)),
            new().exec("/bin/sh"),
            new().abort_mode(AbortMode::Plain),
            new().mode(Mode::Observe),
            new().ignore_env(),
        ]
    }

    #[test]
    fn every_value_makes_it_another() {
        assert_eq!(Config::new().budget(Limit::kib(1024)), Config::new().budget(Limit::mib(1)));
        for (index, other) in others().iter().enumerate() {
            assert_ne!(*other, Config::new());
            for (index2, other2) in others().iter().enumerate() {
                assert_eq!(other == other2, index == index2, "{other:?} {other2:?}");
                let same_digest = other.digest() == other2.digest();
                assert_eq!(same_digest, index == index2, "{other:?} {other2:?}");
            }
        }
    }

    #[test]
    fn a_second_configuration_is_told_in_what_it_differs() {
        let methods = [
            "budget: `Bytes(1048576)`",
            "cluster_budgets: `[(\"a\", Bytes(1))]`",
            "stack_budget: `Bytes(1048576)`",
            "reserve: `1`",
            "hook_timeout: `5.001s`",
            "report: `Fd(2)`",
            "exec: `Some(\"/bin/sh\")`",
            "abort_mode: `Plain`",
            "mode: `Observe`",
            "ignore_env: `true`",
        ];
        for (other, method) in others().iter().zip(methods) {
            let mut lines = Vec::new();
            complain_of_second(&Config::new(), other, &mut |line| lines.push(line.to_vec()));
            assert_eq!(lines.len(), 1);
            let start =
                format!("failfast: FailFast::{method} is what a second FailFast asks for; ");
            assert!(lines[0].starts_with(start.as_bytes()), "{}", lines[0].escape_ascii());
        }
    }
}
