//! What is in this folder, against the program and against other people's checkers.

mod kubernetes;
mod server;
mod shipper;
mod systemd;

/// A file of this folder.
fn read(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
