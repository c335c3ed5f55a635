//! Who has what: the tenants, their clusters, their documents.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use failfast_alloc::{Cluster, Error, fallible};

use crate::answer::Refusal;
use crate::options::Options;

/// A document, shared between the store and the answers that are under way.
pub(crate) type Document = Arc<Vec<u8>>;

/// All tenants. The table itself is the root's.
pub(crate) struct Tenants {
    options: Options,
    by_id: Mutex<HashMap<String, Arc<Tenant>>>,
}

impl Tenants {
    /// None yet. An error if no tenant could be made with these options: better now than later.
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        Tenant::new("trial", &options)?.new_request()?;
        Ok(Self { options, by_id: Mutex::default() })
    }

    /// The tenant of that name, new if there is none.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Tenant>, Refusal> {
        let mut by_id = lock(&self.by_id);
        if let Some(tenant) = by_id.get(id) {
            return Ok(tenant.clone());
        }
        if by_id.len() >= self.options.tenants_max {
            return Err(Refusal::TooManyTenants);
        }
        let tenant = Arc::new(Tenant::new(id, &self.options)?);
        tenant.new_request()?; // Its name is longer.
        by_id.insert(id.to_owned(), tenant.clone());
        Ok(tenant)
    }
}

/// A tenant: a cluster, and what is kept in it.
pub(crate) struct Tenant {
    pub(crate) cluster: Cluster,
    request_name: String,
    options: Options,
    /// Its nodes, keys and contents are all made inside the tenant's cluster.
    documents: Mutex<BTreeMap<String, Document>>,
}

impl Tenant {
    fn new(id: &str, options: &Options) -> Result<Self, Error> {
        let cluster = Cluster::builder(format!("tenant.{id}"))
            .parent(&Cluster::root())
            .budget(options.tenant_budget)
            .soft_budget(options.tenant_soft_budget)
            .build()?;
        let (request_name, options) = (format!("request.{id}"), options.clone());
        Ok(Self { cluster, request_name, options, documents: Mutex::default() })
    }

    /// A cluster for one request of the tenant's.
    pub(crate) fn new_request(&self) -> Result<Cluster, Error> {
        Cluster::builder(&*self.request_name)
            .parent(&self.cluster)
            .soft_budget(self.options.request_soft_budget)
            .build()
    }

    /// The document of that name.
    pub(crate) fn document(&self, name: &str) -> Result<Document, Refusal> {
        lock(&self.documents).get(name).cloned().ok_or(Refusal::NotFound)
    }

    /// The documents' names and lengths.
    pub(crate) fn list(&self) -> BTreeMap<String, usize> {
        lock(&self.documents).iter().map(|(name, text)| (name.clone(), text.len())).collect()
    }

    /// Keeps a copy of a document, on the tenant's account: the request's ends with the request.
    ///
    /// The copy is asked for in a way that may fail, so that a document which does not fit in the
    /// tenant's budget is refused and ends nothing.
    pub(crate) fn keep(&self, name: &str, text: &[u8]) -> Result<(), Refusal> {
        self.cluster.run(|| {
            let mut copy = Vec::new();
            fallible(|| copy.try_reserve_exact(text.len())).map_err(|_| self.refusal())?;
            copy.extend_from_slice(text);
            let before = lock(&self.documents).insert(name.to_owned(), Arc::new(copy));
            drop(before);
            Ok(())
        })
    }

    /// Forgets a document.
    pub(crate) fn forget(&self, name: &str) -> Result<(), Refusal> {
        let mut documents = lock(&self.documents);
        let forgotten = documents.remove_entry(name);
        if documents.is_empty() {
            documents.clear(); // An emptied map keeps a node, a cleared one does not.
        }
        forgotten.map(drop).ok_or(Refusal::NotFound)
    }

    /// What is said when the tenant's budget has no room.
    fn refusal(&self) -> Refusal {
        let usage = self.cluster.usage();
        let cluster = Cluster::root().run(|| self.cluster.name().to_owned());
        Refusal::Over { cluster, live: usage.live, budget: usage.budget.unwrap_or(usize::MAX) }
    }
}

/// Every state that the mutexes here guard is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
