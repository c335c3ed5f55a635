//! What the subjects do.
//!
//! Each workload sets itself up and warms up outside the time it takes, does a given number of
//! operations, and returns how long they took. Set-up and warm-up do not depend on that number: the
//! difference of two runs is the price of the operations alone, in instructions too.

pub mod clusters;
mod pairs;
mod queue;
pub mod race;
pub mod resident;
mod ring;
pub mod spare;
mod values;
mod vecgrow;

use std::fmt;
use std::time::Duration;

/// A workload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Workload {
    /// 64 bytes are allocated and freed. An operation is one such pair.
    Pair64,
    /// 1,024 live blocks of 9 to 4,096 bytes, log-uniform; one is freed, and another allocated in
    /// its place. An operation is one such pair.
    Ring,
    /// A `Vec<u64>` grows from nothing to 16,384 by doubling, and is dropped: 1 allocation, 12
    /// reallocations, 1 free. An operation is one such vector.
    VecGrow,
    /// Blocks of 16 to 527 bytes go through a queue, 256 at a time, and are freed by the other
    /// thread. An operation is one block.
    ProdCons,
    /// `Ring` in two threads at once. An operation is one pair in either.
    Mt2,
    /// `Ring` in eight threads at once.
    Mt8,
    /// A JSON document of 700 KB is parsed into a `serde_json::Value`, and dropped. An operation is
    /// one such document.
    Json,
    /// A `BTreeMap<String, String>` of 10,000 entries is built and dropped. An operation is one
    /// such map.
    BTree,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pair64,
        Self::Ring,
        Self::VecGrow,
        Self::ProdCons,
        Self::Mt2,
        Self::Mt8,
        Self::Json,
        Self::BTree,
    ];

    /// The workload that `Display` writes so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.to_string() == name)
    }

    /// Does `operations` operations.
    pub fn run(self, operations: usize) -> Duration {
        match self {
            Self::Pair64 => pairs::run(operations),
            Self::Ring => ring::run(operations),
            Self::VecGrow => vecgrow::run(operations),
            Self::ProdCons => queue::run(operations),
            Self::Mt2 => ring::run_in_threads(2, operations),
            Self::Mt8 => ring::run_in_threads(8, operations),
            Self::Json => values::run_json(operations),
            Self::BTree => values::run_btree(operations),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pair64 => "pair64",
            Self::Ring => "ring",
            Self::VecGrow => "vecgrow",
            Self::ProdCons => "prodcons",
            Self::Mt2 => "mt2",
            Self::Mt8 => "mt8",
            Self::Json => "json",
            Self::BTree => "btree",
        })
    }
}

/// A block of `bytes` bytes whose contents nobody writes: the allocator's work and nothing else.
/// The compiler cannot see through it, so that the allocation really happens.
fn block(bytes: usize) -> Vec<u8> {
    std::hint::black_box(Vec::with_capacity(bytes))
}
