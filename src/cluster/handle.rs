//! A handle to a cluster.
//!
//! Layer 7.  Plane: control.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;
use std::thread::JoinHandle;

use super::builder::{self, ClusterBuilder};
use super::entered::Entered;
use super::error::{Error, OverBudget};
use super::external::ExternalCharge;
use super::future::{self, Limited, Scoped};
use super::watch::{self, UntilOverSoftBudget};
use crate::alloc::clusters::{self, Which};
use crate::alloc::{Usage, budgets, entered, start, usage_of};
use crate::config::{Limit, Source};

/// A part of the process with a budget of its own: a tenant, a document, a request.
///
/// What a thread allocates while it is *inside* a cluster is charged to that cluster and to all
/// that it is part of, up to the root, which is the process; it is refunded there when it is freed,
/// whoever frees it. A request that does not fit in the budget of any of them ends the process,
/// with a report that names the innermost one without room. To end one task and keep the process,
/// there are soft budgets: see [`limited`](Self::limited).
///
/// This is a handle; the cluster itself lasts until the last handle is dropped and its last byte is
/// freed. Handles are equal if they are of the same cluster.
///
/// # Threads
///
/// A thread is inside a cluster by [`run`](Self::run), [`enter`](Self::enter) or
/// [`spawn`](Self::spawn), a task by [`scope`](Self::scope) or [`limited`](Self::limited). Threads
/// that `std::thread::spawn` starts are in the root, wherever that is called; and so is what
/// destructors of thread-local values allocate after the thread's closure has ended.
///
/// # Cost
///
/// In a program that makes no cluster, nothing. Once there is one, each free looks up the block's
/// owner. A cluster's blocks are at least 16 bytes long and aligned to as much, and its address
/// ranges have a map beside them of an eighth of their size, whose memory is given back once no
/// cluster is left; its accounts count what was asked for.
///
/// # Examples
///
/// ```
/// use failfast_alloc::{Cluster, FailFast, Limit};
///
/// #[global_allocator]
/// static ALLOC: FailFast = FailFast::system();
///
/// # fn main() -> Result<(), failfast_alloc::Error> {
/// let tenant = Cluster::builder("tenant-7").budget(Limit::mib(64)).build()?;
/// let names = tenant.run(|| vec![String::from("a"); 1000]);
/// assert!(tenant.usage().live >= 24_000);
/// drop(names);
/// assert_eq!(tenant.usage().live, 0);
/// # Ok(())
/// # }
/// ```
pub struct Cluster(pub(super) Which);

impl Cluster {
    /// Begins to describe a new cluster. `name` has 1 to 64 characters of `A-Z a-z 0-9 . _ -`, and
    /// need not be unique.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let parser = Cluster::builder("parser").budget(Limit::mib(16)).build()?;
    /// assert_eq!(parser.name(), "parser");
    /// assert!(Cluster::builder("no spaces").build().is_err());
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> ClusterBuilder {
        ClusterBuilder::new(name.into())
    }

    /// The process.
    ///
    /// # Examples
    ///
    /// ```
    /// use failfast_alloc::Cluster;
    ///
    /// assert_eq!(Cluster::root().name(), "root");
    /// assert!(Cluster::root().parent().is_none());
    /// ```
    pub fn root() -> Self {
        Self(None)
    }

    /// The cluster that this thread is in.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// assert_eq!(Cluster::current(), Cluster::root());
    /// let job = Cluster::builder("job").build()?;
    /// assert_eq!(job.run(Cluster::current), job);
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn current() -> Self {
        Self::retained(entered::current())
    }

    /// All clusters that somebody has a handle to, the root first. A snapshot.
    ///
    /// # Examples
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").build()?;
    /// assert_eq!(Cluster::list(), [Cluster::root(), job]);
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn list() -> Vec<Cluster> {
        let mut list = vec![Self::root()];
        clusters::for_each_open(|block| list.push(Self(Some(block))));
        list
    }

    /// A handle to a cluster that the caller knows to be there.
    pub(super) fn retained(which: Which) -> Self {
        if let Some(block) = which {
            clusters::retain(block);
        }
        Self(which)
    }

    /// Its name.
    ///
    /// ```
    /// # use failfast_alloc::Cluster;
    /// assert_eq!(Cluster::root().name(), "root");
    /// ```
    pub fn name(&self) -> &str {
        self.0.map_or("root", |block| block.name())
    }

    /// The cluster that it is part of; `None` for the root.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").build()?;
    /// assert_eq!(job.parent(), Some(Cluster::root()));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn parent(&self) -> Option<Cluster> {
        self.0.map(|block| Self::retained(budgets::parent(block)))
    }

    /// What it uses, its descendants included. Exact while no thread is inside the allocator.
    ///
    /// Takes the ledger's lock, and looks at each thread that has been in it.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").budget(Limit::kib(64)).build()?;
    /// let block = job.run(|| vec![0_u8; 5000]);
    /// assert_eq!((job.usage().live, job.usage().budget), (5000, Some(65_536)));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn usage(&self) -> Usage {
        usage_of(self.0)
    }

    /// Runs `f` inside the cluster, on this thread.
    ///
    /// # Panics
    ///
    /// Where `f` does; the thread is then where it was before.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").build()?;
    /// let text = job.run(|| "x".repeat(100));
    /// assert_eq!(job.usage().live, text.capacity());
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        f()
    }

    /// Has this thread be inside the cluster until the guard is dropped. Guards are dropped in the
    /// reverse order of their making; another order ends the process, as
    /// [`fail_fast`](crate::fail_fast) does, and so does a lack of memory for the thread's account.
    /// Prefer [`run`](Self::run), and never hold a guard across an `.await`: there is
    /// [`scope`](Self::scope).
    ///
    /// # Cost
    ///
    /// Some writes to words of the thread's own; no fence, lock or allocation. The first time
    /// a thread enters a cluster it takes the ledger's lock, and gets an account with it.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").build()?;
    /// let entered = job.enter();
    /// let block = Box::new([0_u8; 256]);
    /// drop(entered);
    /// assert_eq!(job.usage().live, 256);
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn enter(&self) -> Entered<'_> {
        Entered::new(self)
    }

    /// Starts a thread that runs `f` inside the cluster. What the standard library keeps for the
    /// thread is of the cluster in which this is called. A thread that is to have a name or another
    /// stack is made by [`std::thread::Builder`], with [`run`](Self::run) in its closure.
    ///
    /// # Errors
    ///
    /// As [`std::thread::Builder::spawn`]; then `f` is dropped where this was called.
    ///
    /// # Panics
    ///
    /// What `f` does is the result of `join`, as ever.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").build()?;
    /// let thread = job.spawn(|| Cluster::current().name().to_owned())?;
    /// assert_eq!(thread.join().unwrap(), "job");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<JoinHandle<T>> {
        let cluster = self.clone();
        std::thread::Builder::new().spawn(move || cluster.run(f))
    }

    /// A future that is inside the cluster whenever it is polled, and when it is dropped. What it
    /// spawns is not, unless it is scoped too.
    ///
    /// # Cost
    ///
    /// That of [`run`](Self::run) for each poll. No allocation.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let job = Cluster::builder("job").build()?;
    /// let name = job.scope(async { Cluster::current().name().to_owned() });
    /// # let Poll::Ready(name) = pin!(name).poll(&mut Context::from_waker(Waker::noop())) else {
    /// #     unreachable!()
    /// # };
    /// assert_eq!(name, "job");
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped::new(self.clone(), future)
    }

    /// As [`scope`](Self::scope), but ends with [`OverBudget`] as soon as more than the cluster's
    /// soft budget is live: at its next poll, which the crossing brings about. The future is then
    /// dropped, inside the cluster; if more is live before the first poll, it is not polled at all.
    ///
    /// This is the sound way to end one task and keep the process: nothing is unwound, and no
    /// allocation fails. What it does not promise: a task that does not return to its executor is
    /// not ended, and may reach the budget itself, which ends the process; and *every* limited
    /// future of the cluster ends, so give each request a cluster of its own.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let request = Cluster::builder("request").soft_budget(Limit::kib(4)).build()?;
    /// let kept = request.run(|| vec![0_u8; 5000]);
    /// let limited = request.limited(async { unreachable!() });
    /// # let mut context = Context::from_waker(Waker::noop());
    /// # let Poll::Ready(answer) = pin!(limited).poll(&mut context) else { unreachable!() };
    /// # let answer: Result<(), _> = answer;
    /// assert_eq!(answer.unwrap_err().cluster(), "request");
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn limited<F: Future>(&self, future: F) -> Limited<F> {
        Limited::new(self.clone(), future)
    }

    /// Sets its budget. A percentage is of the parent's budget as it is now.
    ///
    /// # Errors
    ///
    /// More than that is live, or it is no budget: then nothing has changed.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").budget(Limit::kib(64)).build()?;
    /// let block = job.run(|| vec![0_u8; 5000]);
    /// assert!(job.set_budget(Limit::kib(4)).unwrap_err().is_below_live());
    /// job.set_budget(Limit::kib(5))?;
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn set_budget(&self, budget: Limit) -> Result<(), Error> {
        if !start::is_installed() {
            return Err(Error::not_installed());
        }
        let whole = self.0.and_then(|block| budgets::budget(budgets::parent(block)));
        let bytes = builder::bytes_of(budget, whole).map_err(|why| self.wrong(budget, why))?;
        budgets::set_budget(self.0, bytes).map_err(|refusal| {
            let live = refusal.figures().live;
            Error::below_live(self.name(), budget, live.max(0) as usize)
        })
    }

    /// Sets its soft budget, which ends nothing by itself: see [`limited`](Self::limited). A
    /// percentage is of its own budget as it is now.
    ///
    /// # Errors
    ///
    /// It is no budget: then nothing has changed.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").budget(Limit::mib(64)).build()?;
    /// job.set_soft_budget(Limit::percent(75))?;
    /// assert!(!job.over_soft_budget());
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn set_soft_budget(&self, budget: Limit) -> Result<(), Error> {
        if !start::is_installed() {
            return Err(Error::not_installed());
        }
        let whole = budgets::budget(self.0);
        let bytes = builder::bytes_of(budget, whole).map_err(|why| self.wrong(budget, why))?;
        budgets::set_soft(self.0, bytes);
        Ok(())
    }

    fn wrong(&self, limit: Limit, why: &'static str) -> Error {
        Error::invalid_limit(self.name(), limit, why, Source::Default)
    }

    /// Whether more than the soft budget is live. Cheap enough for a loop: two loads while less is
    /// leased to the cluster's threads; else as [`usage`](Self::usage).
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").soft_budget(Limit::kib(4)).build()?;
    /// let mut blocks = Vec::new();
    /// while !job.over_soft_budget() {
    ///     job.run(|| blocks.push(vec![0_u8; 1000]));
    /// }
    /// assert_eq!(blocks.len(), 5);
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    #[inline]
    pub fn over_soft_budget(&self) -> bool {
        budgets::is_over_soft(self.0)
    }

    /// The same, as an error that says how much is live: for a loop in a function that may fail.
    ///
    /// # Errors
    ///
    /// More than the soft budget is live.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit, OverBudget};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// fn collect(job: &Cluster) -> Result<Vec<Vec<u8>>, OverBudget> {
    ///     let mut blocks = Vec::with_capacity(100);
    ///     for _ in 0..100 {
    ///         job.check_soft_budget()?;
    ///         blocks.push(job.run(|| vec![0_u8; 1000]));
    ///     }
    ///     Ok(blocks)
    /// }
    ///
    /// let job = Cluster::builder("job").soft_budget(Limit::kib(4)).build()?;
    /// let over = collect(&job).unwrap_err();
    /// assert_eq!((over.cluster(), over.live(), over.budget()), ("job", 5000, 4096));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    #[inline]
    pub fn check_soft_budget(&self) -> Result<(), OverBudget> {
        if self.over_soft_budget() { future::over(self).map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// Waits until more than the soft budget is live, for `timeout` at most, and says whether it
    /// is. The thread sleeps; the crossing wakes it.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// # use std::time::Duration;
    /// let job = Cluster::builder("job").soft_budget(Limit::kib(4)).build()?;
    /// assert!(!job.wait_over_soft_budget(Duration::from_millis(1)));
    /// let block = job.run(|| vec![0_u8; 5000]);
    /// assert!(job.wait_over_soft_budget(Duration::from_secs(60)));
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn wait_over_soft_budget(&self, timeout: Duration) -> bool {
        watch::wait(self.0, timeout)
    }

    /// A future that is ready once more than the soft budget is live.
    ///
    /// Tasks are woken by a thread that is started when first needed, never by the allocation that
    /// crosses. After a crossing the next is told once less than seven eighths of the soft budget
    /// were live in between, or somebody asks again.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// # use std::{future::Future, pin::pin, task::{Context, Waker}};
    /// let job = Cluster::builder("job").soft_budget(Limit::kib(4)).build()?;
    /// let block = job.run(|| vec![0_u8; 5000]);
    /// let crossed = job.until_over_soft_budget();
    /// # assert!(pin!(crossed).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn until_over_soft_budget(&self) -> UntilOverSoftBudget {
        UntilOverSoftBudget::new(self.clone())
    }

    /// Charges bytes that do not come through the allocator: a mapping, a buffer of a C library.
    /// They are refunded when the charge is dropped, by any thread. A charge may cross soft budgets
    /// as an allocation may.
    ///
    /// # Cost
    ///
    /// Takes the ledger's lock; so does the refund. No allocation but for the error.
    ///
    /// # Errors
    ///
    /// They do not fit in the budget of this cluster, or of one that it is part of. Nothing ends.
    ///
    /// ```
    /// # use failfast_alloc::{Cluster, FailFast, Limit};
    /// # #[global_allocator] static ALLOC: FailFast = FailFast::system();
    /// let job = Cluster::builder("job").budget(Limit::kib(64)).build()?;
    /// let charge = job.charge_external(60_000).unwrap();
    /// assert_eq!(job.usage().live, 60_000);
    /// assert!(job.charge_external(60_000).is_err());
    /// # Ok::<(), failfast_alloc::Error>(())
    /// ```
    pub fn charge_external(&self, bytes: usize) -> Result<ExternalCharge, OverBudget> {
        ExternalCharge::new(self, bytes)
    }
}

/// A panic leaves the thread where it was before, and every account as exact as ever.
impl UnwindSafe for Cluster {}
impl RefUnwindSafe for Cluster {}

impl Clone for Cluster {
    fn clone(&self) -> Self {
        Self::retained(self.0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(block) = self.0 {
            clusters::release(block);
        }
    }
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => core::ptr::eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Cluster {}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.name()).finish()
    }
}
