//! Soft budgets are crossed, and somebody wakes.
//!
//! Layer 7.  Plane: control.
//!
//! The allocation that crosses counts up one word, and wakes whoever sleeps on it: threads in
//! [`wait`], and one thread of our own, started when the first task asks. That one looks whose
//! cluster is over, and wakes those tasks. A task is on the list while its future is pending and
//! not dropped, once, and costs the others nothing.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::Mutex;

use super::handle::Cluster;
use crate::alloc::budgets::{self, CROSSINGS};
use crate::alloc::clusters::Which;
use crate::sync::Ordering::Acquire;
use crate::sys::clock;

/// The tasks that wait; and whether there is somebody to wake them.
static TASKS: Mutex<Tasks> =
    Mutex::new(Tasks { by_number: BTreeMap::new(), last: 0, served_in: 0 });

struct Tasks {
    by_number: BTreeMap<u64, Task>,
    /// The number that was given out last.
    last: u64,
    /// The process whose thread wakes them: a forked child has none of its parent's threads.
    served_in: u32,
}

/// A task, and the cluster that it waits for. Its future has a handle to that.
struct Task {
    which: Which,
    waker: Waker,
}

/// A future's place among the tasks that wait, if it has one; given up when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Place(Option<u64>);

/// Waits until a cluster is over its soft budget. `false` if the time is up.
pub(super) fn wait(which: Which, timeout: Duration) -> bool {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let until = clock::now().checked_add(nanoseconds);
    loop {
        // ORDER: Acquire: the look at the cluster comes after. A crossing that it misses changes
        // the word, and then nobody sleeps.
        let crossings = CROSSINGS.load(Acquire);
        if is_over(which) {
            return true;
        }
        if until.is_some_and(|until| clock::now() >= until) {
            return false;
        }
        clock::wait(&CROSSINGS, crossings, until);
    }
}

impl Place {
    /// Has a task woken when the soft budget of `which` is crossed. `true` if it is already, or if
    /// there is nobody to wake the task. A place is of one cluster.
    pub(super) fn register(&mut self, which: Which, waker: &Waker) -> bool {
        // Not on the task's account.
        let is_served = Cluster::root().run(|| self.note(which, waker));
        is_over(which) || !is_served
    }

    /// Notes whom to wake. `false` if there is nobody to do it.
    fn note(&mut self, which: Which, waker: &Waker) -> bool {
        let mut tasks = TASKS.lock();
        let number = *self.0.get_or_insert_with(|| tasks.next_number());
        let before = match tasks.by_number.get(&number) {
            Some(task) if task.waker.will_wake(waker) => None,
            _ => tasks.by_number.insert(number, Task { which, waker: waker.clone() }),
        };
        let is_served = tasks.serve();
        drop(tasks);
        drop(before); // A waker's end may run anything.
        is_served
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            // What a contended lock allocates is nobody's in particular.
            let task = Cluster::root().run(|| TASKS.lock().by_number.remove(&number));
            drop(task); // After the lock, as in `note`.
        }
    }
}

impl Tasks {
    fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Makes sure that there is somebody to wake the tasks. `false` if it cannot be had.
    fn serve(&mut self) -> bool {
        let here = std::process::id();
        if self.served_in != here {
            let thread = std::thread::Builder::new().name("failfast-soft".into()).spawn(serve);
            if thread.is_ok() {
                self.served_in = here;
            }
        }
        self.served_in == here
    }

    /// The tasks whose cluster is over its soft budget, by their wakers.
    fn over(&self) -> Vec<Waker> {
        let over = self.by_number.values().filter(|task| is_over(task.which));
        over.map(|task| task.waker.clone()).collect()
    }
}

/// Whether a cluster is over its soft budget. If it is not, the next crossing is told, though it
/// may have been told of one lately.
fn is_over(which: Which) -> bool {
    budgets::is_over_soft(which) || {
        budgets::tell_again(which);
        budgets::is_over_soft(which)
    }
}

fn serve() {
    let mut seen = 0;
    loop {
        // ORDER: Acquire: the list is looked at after. Who is added later looks at its cluster
        // after that.
        let crossings = CROSSINGS.load(Acquire);
        if crossings == seen {
            clock::wait(&CROSSINGS, crossings, None);
            continue;
        }
        seen = crossings;
        let over = TASKS.lock().over();
        for waker in over {
            // One that panics keeps the others from nothing.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// A future that is ready once a cluster is over its soft budget: see
/// [`Cluster::until_over_soft_budget`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct UntilOverSoftBudget {
    /// Dropped first: the cluster stays as long as somebody may ask for it.
    place: Place,
    cluster: Cluster,
}

impl UntilOverSoftBudget {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self { place: Place::default(), cluster }
    }
}

impl Future for UntilOverSoftBudget {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let which = self.cluster.0;
        if budgets::is_over_soft(which) || self.place.register(which, context.waker()) {
            // Over; or there is nobody to wake us, and we look again at the next poll.
            if budgets::is_over_soft(which) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
