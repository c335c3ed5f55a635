//! Bytes added per block, and resident at start.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use failfast_alloc::FailFast;
use failfast_alloc_bench::matrix::{Inner, Wrapper};

use crate::subjects::Subjects;
use crate::table;

const SIZES: [usize; 5] = [1, 24, 64, 1000, 4096];

/// Prints both tables.
pub(crate) fn print(subjects: &Subjects) -> io::Result<()> {
    print_added();
    print_resident(subjects)
}

/// An inner allocator that remembers how much it was last asked for.
struct Recorder;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is the C library's; the figure beside it changes nothing.
unsafe impl GlobalAlloc for Recorder {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.store(layout.size(), Relaxed); // ORDER: Relaxed. A figure, for the same thread.
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

fn print_added() {
    let wrappers: [(&str, &dyn GlobalAlloc); 5] = [
        ("bare", &Recorder),
        ("failfast", &FailFast::new(Recorder)),
        ("cap", &cap::Cap::new(Recorder, usize::MAX)),
        ("stats", &stats_alloc::StatsAlloc::new(Recorder)),
        ("tracking", &tracking_allocator::Allocator::from_allocator(Recorder)),
    ];
    let rows = wrappers.map(|(name, allocator)| {
        let cells = SIZES.map(|size| added(allocator, size).to_string());
        std::iter::once(name.to_owned()).chain(cells).collect()
    });
    let header = std::iter::once(String::new()).chain(SIZES.map(|size| format!("block of {size}")));
    let said = "Bytes that the inner allocator is asked for beyond those of the block.";
    table::print("Memory per block", said, &header.collect::<Vec<_>>(), rows.into());
}

/// What is added to a block of `size` bytes, aligned to 8.
fn added(allocator: &dyn GlobalAlloc, size: usize) -> usize {
    let layout = Layout::from_size_align(size, 8).expect("a layout");
    // SAFETY: the layout is not empty.
    let block = unsafe { allocator.alloc(layout) };
    let asked = ASKED.load(Relaxed); // ORDER: Relaxed. Stored by this thread.
    // SAFETY: the block came from there with that layout, and is freed once.
    unsafe { allocator.dealloc(block, layout) };
    asked - size
}

/// Asks each subject what it has written to by the time it is in `main`.
fn print_resident(subjects: &Subjects) -> io::Result<()> {
    let mut rows = Vec::new();
    for inner in Inner::ALL {
        let mut row = vec![inner.to_string()];
        for wrapper in Wrapper::ALL {
            row.push(match wrapper.fits(inner) {
                true => resident(subjects, inner, wrapper)?.to_string(),
                false => "n/a".to_owned(),
            });
        }
        rows.push(row);
    }
    let header = std::iter::once("KiB".to_owned()).chain(Wrapper::ALL.map(|w| w.to_string()));
    let said = "Anonymous memory that a program has when it reaches `main`, in KiB. \
        FailFast touches its reserve and the stack it dies on at start, so that they are there.";
    table::print("Memory at start", said, &header.collect::<Vec<_>>(), rows);
    Ok(())
}

/// In KiB.
pub(crate) fn resident(subjects: &Subjects, inner: Inner, wrapper: Wrapper) -> io::Result<f64> {
    let numbers = subjects.run((inner, wrapper), &["resident"], None)?;
    numbers.first().copied().ok_or_else(|| io::Error::other("a subject printed no number"))
}
