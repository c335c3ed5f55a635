//! Any report is valid JSON, within its bound, that says what was put into it.
#![no_main]

use failfast_alloc::fuzzing::report_roundtrip;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| report_roundtrip(data));
