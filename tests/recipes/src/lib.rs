//! Nothing but tests, and the library that `docs/libraries.md` is about.

use failfast_alloc::{Cluster, Error};

/// Repeats each byte, in a cluster of its own where the program has our allocator.
///
/// # Errors
///
/// There are too many clusters, or a budget by this name is of nothing.
pub fn decode(runs: &[(u8, usize)]) -> Result<Vec<u8>, Error> {
    let cluster = match Cluster::builder("acme-decoder").build() {
        Ok(cluster) => cluster,
        Err(error) if error.is_not_installed() => Cluster::root(), // nobody counts
        Err(error) => return Err(error),
    };
    Ok(cluster.run(|| {
        let mut bytes = Vec::new();
        for &(byte, times) in runs {
            bytes.resize(bytes.len() + times, byte);
        }
        bytes
    }))
}
