//! The supervisor's decisions, on a clock that a test turns: examples, and properties under random
//! events.

use std::collections::BTreeSet;
use std::time::Duration;

use failfast_alloc::supervise::{
    Action, Backoff, Class, Event, Finish, Intensity, Plan, Policy, Restart, Strategy,
};
use proptest::prelude::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const ENVIRONMENTAL: [Class; 4] =
    [Class::Clean, Class::SelfInflicted, Class::Environmental, Class::Unknown];

fn ended(child: usize, class: Class) -> Event {
    Event::Ended { child, class }
}

#[test]
fn which_deaths_are_answered() {
    for (restart, answered) in [
        (Restart::Never, [false, false, false, false]),
        (Restart::OnEnvironmental, [false, false, true, false]),
        (Restart::OnFailure, [false, true, true, true]),
        (Restart::Always, [true, true, true, true]),
    ] {
        for (class, is_answered) in ENVIRONMENTAL.into_iter().zip(answered) {
            let mut plan = Plan::new(1, Policy { restart, ..Policy::default() });
            assert_eq!(plan.handle(Event::Tick, ms(0)), [Action::Start(0)]);
            assert_eq!(plan.handle(ended(0, class), ms(5)), []);
            assert_eq!(plan.finish().is_none(), is_answered, "{restart:?} {class:?}");
            assert_eq!(plan.wake(), is_answered.then_some(ms(105)));
        }
    }
}

#[test]
fn it_gives_up_and_says_why() {
    let intensity = Intensity { most: 2, within: ms(1000) };
    let backoff = Backoff { first: ms(10), factor: 1, cap: ms(10) };
    let policy = Policy { restart: Restart::Always, intensity, backoff, ..Policy::default() };
    let mut plan = Plan::new(2, policy);
    assert_eq!(plan.handle(Event::Tick, ms(0)), [Action::Start(0), Action::Start(1)]);
    for at in [0, 100] {
        assert_eq!(plan.handle(ended(0, Class::Unknown), ms(at)), []);
        assert_eq!(plan.handle(Event::Tick, ms(at + 10)), [Action::Start(0)]);
    }
    // The third within a second; the other child is asked to end, in its time.
    assert_eq!(plan.handle(ended(0, Class::Unknown), ms(999)), [Action::Terminate(1)]);
    assert_eq!((plan.finish(), plan.wake()), (None, Some(ms(5999))));
    assert_eq!(plan.handle(Event::Tick, ms(5998)), []);
    assert_eq!(plan.handle(Event::Tick, ms(5999)), [Action::Kill(1)]);
    assert_eq!((plan.handle(Event::Tick, ms(9999)), plan.wake()), (vec![], None));
    assert_eq!(plan.handle(ended(1, Class::Environmental), ms(10_000)), []);
    let why = Finish::GaveUp { child: 0, restarts: 2, within: ms(1000) };
    assert_eq!(plan.finish(), Some(why));
}

#[test]
fn a_restart_that_is_long_ago_does_not_count() {
    let intensity = Intensity { most: 1, within: ms(1000) };
    let policy = Policy { restart: Restart::Always, intensity, ..Policy::default() };
    let mut plan = Plan::new(1, policy);
    let _ = plan.handle(Event::Tick, ms(0));
    for round in 0..50 {
        let at = ms(round * 20_000);
        assert_eq!(plan.handle(ended(0, Class::Clean), at), []);
        assert_eq!(plan.wake(), Some(at + ms(100)), "it begins anew");
        assert_eq!(plan.handle(Event::Tick, at + ms(100)), [Action::Start(0)]);
    }
}

#[test]
fn all_go_and_come_together() {
    let policy = Policy {
        restart: Restart::OnEnvironmental,
        strategy: Strategy::OneForAll,
        ..Policy::default()
    };
    let mut plan = Plan::new(3, policy);
    let _ = plan.handle(Event::Tick, ms(0));
    assert_eq!(plan.handle(ended(2, Class::Clean), ms(1)), [], "that is over, and no failure");
    assert_eq!(plan.handle(ended(1, Class::Environmental), ms(2)), [Action::Terminate(0)]);
    assert_eq!(plan.handle(Event::Tick, ms(500)), [], "not before the last has ended");
    let both = [Action::Start(0), Action::Start(1)];
    assert_eq!(plan.handle(ended(0, Class::Environmental), ms(600)), both);
    // What it did to itself it would do again: the group ends.
    assert_eq!(plan.handle(ended(0, Class::SelfInflicted), ms(700)), [Action::Terminate(1)]);
    assert_eq!(plan.handle(ended(1, Class::Environmental), ms(701)), []);
    assert_eq!(plan.finish(), Some(Finish::Over));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    End(usize, usize),
    Stop,
}

fn steps() -> impl Strategy_<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u64..3000).prop_map(Step::Pass),
        8 => (0_usize..4, 0_usize..4).prop_map(|(child, class)| Step::End(child, class)),
        1 => Just(Step::Stop),
    ];
    proptest::collection::vec(step, 0..200)
}

use proptest::strategy::Strategy as Strategy_;

fn policies() -> impl Strategy_<Value = Policy> {
    let restart = prop_oneof![
        Just(Restart::Never),
        Just(Restart::OnEnvironmental),
        Just(Restart::OnFailure),
        Just(Restart::Always)
    ];
    let strategy = prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll)];
    let numbers = (0_u32..6, 1_u64..20_000, 0_u64..500, 0_u32..4, 0_u64..5000, 0_u64..3000);
    (restart, strategy, numbers).prop_map(
        |(restart, strategy, (most, within, first, factor, cap, grace))| Policy {
            restart,
            strategy,
            intensity: Intensity { most, within: ms(within) },
            backoff: Backoff { first: ms(first), factor, cap: ms(cap) },
            grace: ms(grace),
        },
    )
}

/// What a world with real processes would know.
#[derive(Default)]
struct World {
    now: Duration,
    running: BTreeSet<usize>,
    asked: BTreeSet<usize>,
    /// When a child that had run before was started again.
    again: Vec<Duration>,
    had_run: BTreeSet<usize>,
    is_stopped: bool,
}

impl World {
    fn act(&mut self, actions: &[Action], policy: &Policy) -> Result<(), TestCaseError> {
        for action in actions {
            match *action {
                Action::Start(child) => {
                    prop_assert!(self.running.insert(child), "{child} runs already");
                    prop_assert!(!self.is_stopped, "it was to stop");
                    prop_assert!(self.asked.is_empty(), "others are still to end");
                    if !self.had_run.insert(child) {
                        prop_assert!(policy.restart != Restart::Never || self.again.is_empty());
                        self.again.push(self.now);
                    }
                }
                Action::Terminate(child) => {
                    prop_assert!(self.running.contains(&child) && self.asked.insert(child));
                }
                Action::Kill(child) => {
                    prop_assert!(self.running.contains(&child) && self.asked.contains(&child));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: no child is started twice at once, none is asked to end twice, none starts
    /// after a stop, and there are no more restarts in any window than were allowed.
    #[test]
    fn whatever_happens(policy in policies(), steps in steps()) {
        let one_for_one = Policy { strategy: Strategy::OneForOne, ..policy };
        for policy in [policy, one_for_one] {
            let (mut plan, mut world) = (Plan::new(4, policy), World::default());
            let actions = plan.handle(Event::Tick, world.now);
            world.act(&actions, &policy)?;
            prop_assert_eq!(world.running.len(), 4);
            for step in &steps {
                let event = match *step {
                    Step::Pass(time) => {
                        world.now += ms(time);
                        Event::Tick
                    }
                    Step::End(child, class) => {
                        if !world.running.remove(&child) {
                            continue;
                        }
                        world.asked.remove(&child);
                        ended(child, ENVIRONMENTAL[class])
                    }
                    Step::Stop => {
                        world.is_stopped = true;
                        Event::Stop
                    }
                };
                let actions = plan.handle(event, world.now);
                world.act(&actions, &policy)?;
                let is_due = plan.wake().is_some_and(|at| at <= world.now);
                prop_assert!(!is_due, "something is due, and was not done");
                let is_over = world.running.is_empty() && plan.wake().is_none();
                prop_assert_eq!(plan.finish().is_some(), is_over);
            }
            // One for one each restart is one start: no window has more than were allowed. (A start
            // may come later than its decision, by the back-off: that is taken off.)
            if policy.strategy == Strategy::OneForOne {
                let Intensity { most, within } = policy.intensity;
                let slack = policy.backoff.cap + ms(3000);
                for (at, first) in world.again.iter().enumerate() {
                    let in_window = world.again[at..].iter().filter(|time| {
                        **time + slack < *first + within
                    });
                    prop_assert!(in_window.count() <= most as usize);
                }
            }
        }
    }

    /// However it is, a stop comes to an end: all are asked, all that do not end are killed, and
    /// nothing is left to do.
    #[test]
    fn a_stop_ends(policy in policies(), steps in steps()) {
        let (mut plan, mut world) = (Plan::new(4, policy), World::default());
        let actions = plan.handle(Event::Tick, world.now);
        world.act(&actions, &policy)?;
        for step in &steps {
            if let Step::Pass(time) = *step {
                world.now += ms(time);
                let actions = plan.handle(Event::Tick, world.now);
                world.act(&actions, &policy)?;
            } else if let Step::End(child, class) = *step && world.running.remove(&child) {
                world.asked.remove(&child);
                let actions = plan.handle(ended(child, ENVIRONMENTAL[class]), world.now);
                world.act(&actions, &policy)?;
            }
        }
        world.is_stopped = true;
        let actions = plan.handle(Event::Stop, world.now);
        world.act(&actions, &policy)?;
        prop_assert_eq!(&world.asked, &world.running);
        world.now += policy.grace;
        for action in plan.handle(Event::Tick, world.now) {
            if let Action::Kill(child) = action {
                world.running.remove(&child);
                let actions = plan.handle(ended(child, Class::Environmental), world.now);
                prop_assert!(actions.is_empty());
            }
        }
        // Those that were killed before, being asked earlier.
        for child in std::mem::take(&mut world.running) {
            let _ = plan.handle(ended(child, Class::Environmental), world.now);
        }
        prop_assert!(plan.finish().is_some() && plan.wake().is_none());
    }

    /// The same events at the same times lead to the same actions.
    #[test]
    fn it_is_deterministic(policy in policies(), steps in steps()) {
        let run = || {
            let (mut plan, mut now) = (Plan::new(4, policy), ms(0));
            steps.iter().map(|step| {
                let event = match *step {
                    Step::Pass(time) => { now += ms(time); Event::Tick }
                    Step::End(child, class) => ended(child, ENVIRONMENTAL[class]),
                    Step::Stop => Event::Stop,
                };
                (plan.handle(event, now), plan.wake(), plan.finish())
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
