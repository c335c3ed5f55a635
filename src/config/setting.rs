//! The settings by name, for whoever asks for them on behalf of another process.
//!
//! Layer 3.  Plane: control.
//!
//! One table, `options`, says what there is, and the same parsers judge a value here and in the
//! process that it is for.

use core::fmt;
use core::time::Duration;

use super::clusters::ClusterBudgets;
use super::line::{Fault, Place, complain};
use super::options::{Key, Kind, OPTIONS, Spec};
use super::{program, report_to, value};

/// Something that can be set from outside, by a variable of the environment.
///
/// A supervisor that takes values from somebody else checks them here, and says what is wrong
/// before it starts anything. Needs the feature `supervise`.
///
/// ```
/// use failfast_alloc::settings::Setting;
///
/// assert_eq!(Setting::Budget.variable(), "FAILFAST_BUDGET");
/// assert!(Setting::Budget.check("--budget", "75%").is_ok());
/// assert_eq!(
///     Setting::Budget.check("--budget", "12Q").unwrap_err().to_string(),
///     "--budget: `12Q` is not a size; expected bytes, 64MiB, 75%, auto or unlimited",
/// );
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// `FAILFAST_BUDGET`.
    Budget,
    /// `FAILFAST_CLUSTER_BUDGETS`.
    ClusterBudgets,
    /// `FAILFAST_STACK_BUDGET`.
    StackBudget,
    /// `FAILFAST_RESERVE`.
    Reserve,
    /// `FAILFAST_HOOK_TIMEOUT`.
    HookTimeout,
    /// `FAILFAST_REPORT`.
    Report,
    /// `FAILFAST_EXEC`.
    Exec,
    /// `FAILFAST_EXEC_TIMEOUT`.
    ExecTimeout,
    /// `FAILFAST_ABORT`.
    Abort,
    /// `FAILFAST_MODE`.
    Mode,
}

/// A value that a [`Setting`] cannot have: Display names where it stood, what it is and what was
/// expected, on a line for each thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidValue {
    lines: Vec<String>,
}

impl Setting {
    /// All of them, in the order of the documentation.
    ///
    /// ```
    /// # use failfast_alloc::settings::Setting;
    /// assert!(Setting::ALL.iter().all(|it| it.variable().starts_with("FAILFAST_")));
    /// ```
    pub const ALL: [Self; 10] = [
        Self::Budget,
        Self::ClusterBudgets,
        Self::StackBudget,
        Self::Reserve,
        Self::HookTimeout,
        Self::Report,
        Self::Exec,
        Self::ExecTimeout,
        Self::Abort,
        Self::Mode,
    ];

    /// The variable that sets it.
    ///
    /// ```
    /// # use failfast_alloc::settings::Setting;
    /// assert_eq!(Setting::Reserve.variable(), "FAILFAST_RESERVE");
    /// ```
    #[must_use]
    pub fn variable(self) -> &'static str {
        self.spec().name
    }

    /// What it sets, in one sentence.
    ///
    /// ```
    /// # use failfast_alloc::settings::Setting;
    /// assert_eq!(Setting::Reserve.help(), "The heap that is set aside for the abort hook.");
    /// ```
    #[must_use]
    pub fn help(self) -> &'static str {
        self.spec().help
    }

    /// What its values look like.
    ///
    /// ```
    /// # use failfast_alloc::settings::Setting;
    /// assert_eq!(Setting::Mode.expected(), "enforce or observe");
    /// ```
    #[must_use]
    pub fn expected(self) -> &'static str {
        self.spec().kind.expected()
    }

    /// Judges a value as the process that it is for would, as far as that can be done elsewhere:
    /// whether a file can be written or a program executed, and what a percentage comes to, that
    /// process finds out itself.
    ///
    /// `called` is what the message calls the setting: an option, a variable, a field of a
    /// manifest.
    ///
    /// # Errors
    ///
    /// If the value could not be meant.
    ///
    /// ```
    /// # use failfast_alloc::settings::Setting;
    /// let wrong = Setting::ClusterBudgets.check("budgets", "parser=64MiB,cache=x").unwrap_err();
    /// assert!(wrong.to_string().starts_with("budgets: cache: `x` is not a size; expected name="));
    /// ```
    pub fn check(self, called: &str, value: &str) -> Result<(), InvalidValue> {
        let mut lines = Vec::new();
        let mut sink = |line: &[u8]| lines.push(unframed(line));
        let (place, text) = (Place::new(called), value.as_bytes());
        let fault = match self.spec().key {
            _ if text.is_empty() => Some(Fault::new("is empty")),
            Key::Budget => value::limit(text).err(),
            Key::ClusterBudgets => {
                // Whether all is well can be told from the lines.
                let _ = ClusterBudgets::new().set_environment(text, place, &mut sink);
                None
            }
            Key::StackBudget => value::stack_limit(text).err(),
            Key::Reserve => value::size(text).err(),
            Key::HookTimeout | Key::ExecTimeout => value::time(text).err(),
            Key::Report => report_to::target(text).err(),
            Key::Exec => {
                let is_right = text.starts_with(b"/") || program::is_none(text);
                (!is_right).then_some(Fault::new("is not an absolute path"))
            }
            Key::Abort => value::abort_mode(text).err(),
            Key::Mode => value::mode(text).err(),
        };
        if let Some(fault) = fault {
            complain(&mut sink, place, text, fault, self.expected());
        }
        if lines.is_empty() { Ok(()) } else { Err(InvalidValue { lines }) }
    }

    fn spec(self) -> &'static Spec {
        static TABLE: [Spec; 10] = OPTIONS;
        &TABLE[self as usize] // In the order of the table: see the tests.
    }
}

/// A duration as settings have it, `500ms`, `5s`, `2m`: from a nanosecond to a year.
///
/// `called` is what the message calls it.
///
/// # Errors
///
/// If it is none.
///
/// ```
/// use failfast_alloc::settings::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration("--back-off", "100ms"), Ok(Duration::from_millis(100)));
/// assert_eq!(
///     duration("--back-off", "5").unwrap_err().to_string(),
///     "--back-off: `5` is not a duration with its unit; expected 500ms, 5s or 2m, a year at most",
/// );
/// ```
pub fn duration(called: &str, text: &str) -> Result<Duration, InvalidValue> {
    value::time(text.as_bytes()).map_err(|fault| {
        let (mut lines, place) = (Vec::new(), Place::new(called));
        let mut sink = |line: &[u8]| lines.push(unframed(line));
        complain(&mut sink, place, text.as_bytes(), fault, Kind::Time.expected());
        InvalidValue { lines }
    })
}

/// A line without what it begins and ends with: those are the caller's.
fn unframed(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.strip_prefix("failfast: ").unwrap_or(&line).trim_end().to_owned()
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidValue {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_a_setting() {
        for (setting, spec) in Setting::ALL.iter().zip(&OPTIONS) {
            assert_eq!(format!("{setting:?}"), format!("{:?}", setting.spec().key));
            assert_eq!(setting.spec().key, spec.key);
            assert_eq!(setting.variable(), spec.name);
        }
    }

    #[test]
    fn what_is_the_default_is_valid_and_nothing_is_not() {
        for setting in Setting::ALL {
            if let Some(default) = setting.spec().default {
                assert_eq!(setting.check("x", default), Ok(()), "{setting:?}");
            }
            let wrong = setting.check("--x", "").unwrap_err().to_string();
            assert!(wrong.starts_with("--x: `` is empty; expected "), "{wrong}");
        }
    }

    #[test]
    fn each_setting_is_judged_by_its_own_parser() {
        for (setting, value, what) in [
            (Setting::Budget, "12Q", "is not a size"),
            (Setting::StackBudget, "75%", "has no meaning for a stack"),
            (Setting::Reserve, "0", "is zero"),
            (Setting::HookTimeout, "5", "is not a duration with its unit"),
            (Setting::ExecTimeout, "9000h", "is too large"),
            (Setting::Report, "fd:x", "has no number of a descriptor after fd:"),
            (Setting::Exec, "recover", "is not an absolute path"),
            (Setting::Abort, "no", "is no such word"),
            (Setting::Mode, "dry", "is not a mode"),
        ] {
            let wrong = setting.check("--x", value).unwrap_err().to_string();
            assert!(wrong.starts_with(&format!("--x: `{value}` {what}; expected ")), "{wrong}");
        }
        let wrong = Setting::ClusterBudgets.check("--x", "root=1,a=x").unwrap_err().to_string();
        assert_eq!(wrong.lines().count(), 2, "{wrong}");
    }
}
