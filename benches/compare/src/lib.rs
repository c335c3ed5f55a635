//! What `failfast-alloc` costs, beside the bare inner allocators and beside other wrappers.
//!
//! A global allocator is one per program. So each (inner allocator, wrapper) is a program of its
//! own, a *subject* (`subjects/`), and all subjects run the same [`workload`]s, which live here.
//! The benchmark (`benches/compare`) runs subjects by turns and prints tables. What a test wants to
//! know as well is here too: [`matrix`] says which subjects there are, [`callgrind`] counts a
//! subject's instructions, [`code`] reads its machine code, [`build`] builds those whose fast path
//! is in plain Rust.
//!
//! This library uses no allocator crate: a bare subject must not contain `failfast-alloc`.

pub mod build;
pub mod callgrind;
pub mod code;
pub mod matrix;
pub mod workload;

use std::path::PathBuf;

use workload::{Workload, clusters, race, resident, spare};

/// What a subject's allocator can do beyond allocating.
pub struct Door {
    /// Sets the limit, in bytes.
    pub set_limit: fn(usize),
    /// Runs a request that may be refused, so that it is refused by null.
    pub attempt: fn(&mut dyn FnMut()),
    /// Live bytes.
    pub live: fn() -> usize,
    /// A new cluster.
    pub cluster: fn() -> Box<dyn clusters::Cluster>,
    /// Makes and ends so many clusters.
    pub make_and_end: fn(usize),
}

impl Door {
    /// Of an allocator without a limit, and without clusters.
    pub const NONE: Self = Self {
        set_limit: |_| (),
        attempt: |request| request(),
        live: || 0,
        cluster: || Box::new(clusters::Nothing),
        make_and_end: |_| (),
    };
}

/// The `main` of each subject: `<subject> <job> <number>...`. Prints numbers, as its jobs say.
///
/// # Panics
///
/// If the arguments are not such.
pub fn subject(door: Door) {
    let mut arguments = std::env::args().skip(1);
    let job = arguments.next().expect("a job: a workload, `resident`, `race`, or `spare-...`");
    let mut number = || arguments.next().and_then(|a| a.parse().ok()).expect("a number");
    match job.as_str() {
        "resident" => println!("{}", resident::kib()),
        "race" => {
            let outcome = race::run(&door, number());
            println!("{} {} {}", outcome.held, outcome.granted, outcome.millis);
        }
        "clusters-many" => {
            let many = clusters::many(&door, number(), number());
            println!("{} {} {} {}", many.bytes, many.first, many.again, many.end);
        }
        "clusters-map" => {
            let [inside, roots] = clusters::map(&door, number(), number());
            println!("{inside} {roots}");
        }
        name => {
            if let Some(shape) = spare::Shape::from_name(name) {
                println!("{}", shape.run(&door, number(), number()).as_nanos());
            } else if let Some(job) = clusters::Job::from_name(name) {
                println!("{}", job.run(&door, number()).as_nanos());
            } else {
                let workload = Workload::from_name(name).expect("the name of a workload");
                println!("{}", workload.run(number()).as_nanos());
            }
        }
    }
}

/// The folder in which the subjects are, given one of them.
///
/// # Panics
///
/// If it is in none.
pub fn subjects_beside(subject: &str) -> PathBuf {
    PathBuf::from(subject).parent().expect("cargo gives absolute paths").to_owned()
}
