//! At rest the ledger grants what fits, refuses what does not, and counts right.
#![no_main]

use failfast_alloc::fuzzing::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| play(data));
