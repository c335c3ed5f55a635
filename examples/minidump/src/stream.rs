//! A report, as a stream of a minidump.
//!
//! A minidump begins with a header, which says how many streams there are and where their directory
//! is. So a stream is added at the file's end, with a new directory after it; then the header is
//! changed, last, so that the file is whole at every instant. Readers skip streams whose type they
//! do not know.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The stream's type: `FF`, and a number. Those above 0xffff belong to nobody.
pub(crate) const REPORT_STREAM: u32 = 0x4646_0001;

/// A header's first words: signature, version, streams, place of the directory.
const HEADER_BYTES: usize = 16;
/// An entry of the directory: type, size, place.
const ENTRY_BYTES: usize = 12;

/// Adds `report` to the minidump in `file`.
pub(crate) fn add(file: &mut File, report: &[u8]) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    file.rewind()?;
    file.read_exact(&mut header)?;
    let [count, directory] = [8, 12].map(|at| word(&header, at));
    if &header[..4] != b"MDMP" {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no minidump"));
    }
    let mut entries = vec![0; count as usize * ENTRY_BYTES];
    file.seek(SeekFrom::Start(u64::from(directory)))?;
    file.read_exact(&mut entries)?;

    let place = position(file.seek(SeekFrom::End(0))?)?;
    for part in [REPORT_STREAM, report.len() as u32, place] {
        entries.extend(part.to_le_bytes());
    }
    file.write_all(report)?;
    file.write_all(&[0; 4][..report.len().wrapping_neg() % 4])?;
    let directory = position(file.stream_position()?)?;
    file.write_all(&entries)?;
    file.sync_data()?;

    file.seek(SeekFrom::Start(8))?;
    file.write_all(&[(count + 1).to_le_bytes(), directory.to_le_bytes()].concat())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn position(place: u64) -> io::Result<u32> {
    u32::try_from(place).map_err(|_| io::Error::other("a minidump has 4 GiB at most"))
}
