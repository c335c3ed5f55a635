//! A record of random bytes, cut short, or with flipped bits: never a panic, and never a section
//! that nobody has written.
#![no_main]

use failfast_alloc::fuzzing::damaged_record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| damaged_record(data));
