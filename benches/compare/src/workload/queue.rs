//! Blocks that another thread frees.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use super::block;

const BATCH: usize = 256;
const BATCHES_WAITING: usize = 64;
const WARM_UP: usize = 8 * BATCH;

/// `operations` is rounded down to whole batches.
pub(super) fn run(operations: usize) -> Duration {
    let (to_consumer, from_producer) = sync_channel::<Vec<Vec<u8>>>(BATCHES_WAITING);
    let consumer = thread::spawn(move || {
        from_producer.iter().for_each(drop);
        Instant::now()
    });
    let mut random = fastrand::Rng::with_seed(1);
    let mut produce = |blocks: usize| {
        for _ in 0..blocks / BATCH {
            let batch = (0..BATCH).map(|_| block(random.usize(16..528))).collect();
            to_consumer.send(batch).expect("the consumer waits");
        }
    };
    produce(WARM_UP);
    let start = Instant::now();
    produce(operations);
    drop(to_consumer);
    consumer.join().expect("no panic") - start
}
