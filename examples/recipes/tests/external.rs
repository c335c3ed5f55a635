//! Memory that does not come through the allocator: a mapping.

use std::io;
use std::ptr::NonNull;

use failfast_alloc::{Cluster, ExternalCharge, FailFast, Limit};

#[global_allocator]
static ALLOC: FailFast = FailFast::system();

/// Pages of the kernel's, charged to a cluster as long as they are mapped. What a C library
/// allocates is charged in the same way: before it is asked for, and by as much as it may take.
struct Pages {
    at: NonNull<libc::c_void>,
    charge: ExternalCharge,
}

impl Pages {
    fn new(cluster: &Cluster, bytes: usize) -> io::Result<Self> {
        let charge = cluster
            .charge_external(bytes)
            .map_err(|over| io::Error::new(io::ErrorKind::OutOfMemory, over))?;
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a mapping of its own, at an address of the kernel's choice.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
        // If there are none, the charge is refunded here.
        match NonNull::new(at).filter(|_| at != libc::MAP_FAILED) {
            Some(at) => Ok(Self { at, charge }),
            None => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, of that length, and nobody has it any more.
        unsafe { libc::munmap(self.at.as_ptr(), self.charge.bytes()) };
    }
}

#[test]
fn a_mapping_is_charged() {
    let images = Cluster::builder("images").budget(Limit::mib(4)).build().unwrap();
    let pages = Pages::new(&images, 3 << 20).unwrap();
    assert_eq!(images.usage().live, 3 << 20);
    let error = Pages::new(&images, 2 << 20).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    let said = "2097152 bytes do not fit in cluster `images`: 3145728 of 4194304 are live";
    assert_eq!(error.to_string(), said);
    // It may go from thread to thread like the charge; not here, since the address is not `Send`.
    drop(pages);
    assert_eq!(images.usage().live, 0);
    // The kernel refuses: nothing stays charged.
    let free = Cluster::builder("free").build().unwrap();
    assert!(Pages::new(&free, 1 << 50).is_err());
    assert_eq!(free.usage().live, 0);
}
