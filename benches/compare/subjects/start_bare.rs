//! Does nothing, over the C library's malloc.

use std::alloc::System;

#[global_allocator]
static ALLOC: System = System;

fn main() {}
