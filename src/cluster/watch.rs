//! Soft budgets are crossed, and somebody wakes.
//!
//! Layer 7.  Plane: control.
//!
//! The allocation that crosses counts up one word, and wakes whoever sleeps on it: threads in
//! [`wait`], and one thread of our own, started when the first task asks, which wakes the tasks.
//! All of them look again whether *their* cluster is over, and sleep again if not.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use parking_lot::Mutex;

use super::handle::Cluster;
use crate::alloc::budgets::{self, CROSSINGS};
use crate::alloc::clusters::Which;
use crate::sync::Ordering::Acquire;
use crate::sys::clock;

/// The tasks that wait, by their wakers; and whether there is somebody to wake them.
static TASKS: Mutex<Tasks> = Mutex::new(Tasks { wakers: Vec::new(), is_served: false });

struct Tasks {
    wakers: Vec<Waker>,
    is_served: bool,
}

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

/// Has a task woken when a soft budget is crossed. `true` if the cluster's is already.
pub(super) fn register(which: Which, waker: &Waker) -> bool {
    let added = Cluster::root().run(|| add(waker));
    is_over(which) || !added
}

/// Whether a cluster is over its soft budget. If it is not, the next crossing is told, though it
/// may have been told of one lately.
fn is_over(which: Which) -> bool {
    budgets::is_over_soft(which) || {
        budgets::tell_again(which);
        budgets::is_over_soft(which)
    }
}

/// Adds a task to those that wait. `false` if there is nobody to wake it.
fn add(waker: &Waker) -> bool {
    let mut tasks = TASKS.lock();
    if !tasks.is_served {
        let thread = std::thread::Builder::new().name("failfast-soft".into()).spawn(serve);
        tasks.is_served = thread.is_ok();
    }
    if !tasks.wakers.iter().any(|known| known.will_wake(waker)) {
        tasks.wakers.push(waker.clone());
    }
    tasks.is_served
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
        let wakers = core::mem::take(&mut TASKS.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A future that is ready once a cluster is over its soft budget: see
/// [`Cluster::until_over_soft_budget`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct UntilOverSoftBudget(Cluster);

impl UntilOverSoftBudget {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self(cluster)
    }
}

impl Future for UntilOverSoftBudget {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let which = self.0.0;
        if budgets::is_over_soft(which) || register(which, context.waker()) {
            // Over; or there is nobody to wake us, and we look again at the next poll.
            if budgets::is_over_soft(which) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
