//! What a supervisor decides: events in, actions out.
//!
//! Layer 8.  Plane: control.
//!
//! No process, no clock, no randomness: the same events at the same times lead to the same actions.
//!
//! | a child is | next |
//! |---|---|
//! | waiting, until a time | running |
//! | running | over; waiting; or ending, because of another child or of the whole |
//! | ending | held back, until all that were told to end have; or over |
//! | held back | waiting |
//! | over | for ever |

use std::collections::VecDeque;
use std::time::Duration;

use super::policy::{Intensity, Policy, Strategy};
use super::verdict::Class;

/// What has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Time has passed; also the first event there is.
    Tick,
    /// A child has ended, or could not be started.
    Ended {
        /// Which.
        child: usize,
        /// What that says about the next try.
        class: Class,
    },
    /// All is to end.
    Stop,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Start this child.
    Start(usize),
    /// Ask it to end.
    Terminate(usize),
    /// Kill it.
    Kill(usize),
}

/// How it all ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Finish {
    /// No child is left, and none is to be started again.
    Over,
    /// It was told to stop.
    Stopped,
    /// There were too many restarts.
    GaveUp {
        /// The child whose end was one too many: its place, from 0, in the order in which they were
        /// added.
        child: usize,
        /// How many restarts there had been...
        restarts: u32,
        /// ... within this time.
        within: Duration,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Waiting { at: Duration },
    Running { since: Duration },
    Ending { kill_at: Option<Duration>, again: bool },
    Held,
    Over,
}

/// A supervisor's decisions, for children that are numbered from 0.
///
/// Feed it [`Event`]s and the time since any beginning; do what it says; look in again at
/// [`wake`](Self::wake). [`Supervisor`](super::Supervisor) does that with real processes.
///
/// ```
/// use failfast_alloc::supervise::{Action, Class, Event, Plan, Policy, Restart};
/// use std::time::Duration;
///
/// let policy = Policy { restart: Restart::OnEnvironmental, ..Policy::default() };
/// let mut plan = Plan::new(1, policy);
/// assert_eq!(plan.handle(Event::Tick, Duration::ZERO), [Action::Start(0)]);
///
/// let killed = Event::Ended { child: 0, class: Class::Environmental };
/// assert_eq!(plan.handle(killed, Duration::from_secs(1)), []);
/// let again = plan.wake().expect("it backs off");
/// assert_eq!(again, Duration::from_millis(1_100));
/// assert_eq!(plan.handle(Event::Tick, again), [Action::Start(0)]);
///
/// let over_budget = Event::Ended { child: 0, class: Class::SelfInflicted };
/// plan.handle(over_budget, Duration::from_secs(2));
/// assert!(plan.finish().is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    policy: Policy,
    children: Vec<State>,
    /// How many restarts in a row each child has had.
    in_a_row: Vec<u32>,
    /// When the last restarts were decided on; no more than `most`.
    restarts: VecDeque<Duration>,
    /// When those that are held back start.
    held_until: Duration,
    ending: Option<Finish>,
    now: Duration,
}

impl Plan {
    /// A plan for so many children, none of which has been started.
    #[must_use]
    pub fn new(children: usize, policy: Policy) -> Self {
        Self {
            policy,
            children: vec![State::Waiting { at: Duration::ZERO }; children],
            in_a_row: vec![0; children],
            restarts: VecDeque::new(),
            held_until: Duration::ZERO,
            ending: None,
            now: Duration::ZERO,
        }
    }

    /// What is to be done, in this order, now that `event` has happened, at the time `now`. A time
    /// before an earlier one counts as that one. The end of a child that does not run is no event.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        self.now = self.now.max(now);
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Ended { child, class } => self.ended(child, class, &mut actions),
            Event::Stop => self.end_all(Finish::Stopped, &mut actions),
        }
        self.release();
        self.tick(&mut actions);
        actions
    }

    /// When to look in again, if nothing happens before: feed it [`Event::Tick`] then.
    #[must_use]
    pub fn wake(&self) -> Option<Duration> {
        let times = self.children.iter().filter_map(|state| match *state {
            State::Waiting { at } => Some(at),
            State::Ending { kill_at, .. } => kill_at,
            _ => None,
        });
        times.min()
    }

    /// How it all ended, once no child runs and none is to be started.
    #[must_use]
    pub fn finish(&self) -> Option<Finish> {
        let is_over = self.children.iter().all(|state| *state == State::Over);
        is_over.then(|| self.ending.unwrap_or(Finish::Over))
    }

    fn ended(&mut self, child: usize, class: Class, actions: &mut Vec<Action>) {
        let Some(state) = self.children.get(child).copied() else { return };
        match state {
            State::Ending { again, .. } => {
                self.set(child, if again { State::Held } else { State::Over });
            }
            State::Running { since } => {
                self.set(child, State::Over);
                if self.policy.restart.answers(class) {
                    self.restart(child, since, actions);
                } else if self.policy.strategy == Strategy::OneForAll && class != Class::Clean {
                    self.end_all(Finish::Over, actions);
                }
            }
            State::Waiting { .. } | State::Held | State::Over => {}
        }
    }

    fn set(&mut self, child: usize, state: State) {
        if let Some(place) = self.children.get_mut(child) {
            *place = state;
        }
    }

    fn restart(&mut self, child: usize, since: Duration, actions: &mut Vec<Action>) {
        let Intensity { most, within } = self.policy.intensity;
        while self.restarts.front().is_some_and(|first| self.now - *first >= within) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= most as usize {
            return self.end_all(Finish::GaveUp { child, restarts: most, within }, actions);
        }
        self.restarts.push_back(self.now);
        let at = self.now.saturating_add(self.delay(child, since));
        match self.policy.strategy {
            Strategy::OneForOne => self.set(child, State::Waiting { at }),
            Strategy::OneForAll => {
                self.held_until = at;
                self.set(child, State::Held);
                self.hold_all(actions);
            }
        }
    }

    /// How long to wait, and counts.
    fn delay(&mut self, child: usize, since: Duration) -> Duration {
        let Policy { backoff, intensity, .. } = self.policy;
        let Some(in_a_row) = self.in_a_row.get_mut(child) else { return backoff.cap };
        if self.now.saturating_sub(since) > backoff.cap.max(intensity.within) {
            *in_a_row = 0;
        }
        let delay = backoff.delay(*in_a_row);
        *in_a_row = in_a_row.saturating_add(1);
        delay
    }

    /// Has every child that is not over end, and start again with the others.
    fn hold_all(&mut self, actions: &mut Vec<Action>) {
        let kill_at = Some(self.now.saturating_add(self.policy.grace));
        for (child, state) in self.children.iter_mut().enumerate() {
            match state {
                State::Running { .. } => {
                    *state = State::Ending { kill_at, again: true };
                    actions.push(Action::Terminate(child));
                }
                State::Waiting { .. } => *state = State::Held,
                State::Ending { .. } | State::Held | State::Over => {}
            }
        }
    }

    /// Has every child end for good. The first reason counts.
    fn end_all(&mut self, why: Finish, actions: &mut Vec<Action>) {
        self.ending.get_or_insert(why);
        let kill_at = Some(self.now.saturating_add(self.policy.grace));
        for (child, state) in self.children.iter_mut().enumerate() {
            match state {
                State::Running { .. } => {
                    *state = State::Ending { kill_at, again: false };
                    actions.push(Action::Terminate(child));
                }
                State::Ending { again, .. } => *again = false,
                State::Waiting { .. } | State::Held => *state = State::Over,
                State::Over => {}
            }
        }
    }

    /// Lets those that are held back go on, once nobody is ending any more.
    fn release(&mut self) {
        if !self.children.iter().any(|state| matches!(state, State::Ending { .. })) {
            let at = self.held_until;
            let held = self.children.iter_mut().filter(|state| **state == State::Held);
            held.for_each(|state| *state = State::Waiting { at });
        }
    }

    /// Does what is due.
    fn tick(&mut self, actions: &mut Vec<Action>) {
        let now = self.now;
        for (child, state) in self.children.iter_mut().enumerate() {
            match state {
                State::Waiting { at } if *at <= now => {
                    *state = State::Running { since: now };
                    actions.push(Action::Start(child));
                }
                State::Ending { kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                    *kill_at = None;
                    actions.push(Action::Kill(child));
                }
                _ => {}
            }
        }
    }
}
