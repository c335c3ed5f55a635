//! A program over `cap`, as it was before.

use cap::Cap;
use std::alloc::System;

#[global_allocator]
static ALLOC: Cap<System> = Cap::new(System, 64 << 20);

fn load(bytes: usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    data.try_reserve_exact(bytes).ok()?; // the allocator returned null
    Some(data)
}

fn has_room(bytes: usize) -> bool {
    ALLOC.remaining() >= bytes
}

#[test]
fn too_much_is_none() {
    assert!(load(128 << 20).is_none());
    assert!(load(1 << 20).is_some());
}

#[test]
fn looking() {
    assert!(has_room(1 << 20));
    assert!(ALLOC.allocated() <= ALLOC.max_allocated());
    ALLOC.set_limit(128 << 20).unwrap();
    assert_eq!(ALLOC.limit(), 128 << 20);
    ALLOC.set_limit(64 << 20).unwrap();
}
