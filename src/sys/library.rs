//! Where the C library is mapped.
//!
//! Layer 1.  Plane: failure.

use core::ops::Range;

use super::facts::read_maps;

/// Where the C library's instructions are, if it is a library: in a program that is linked
/// statically its instructions cannot be told from the program's.
pub(crate) fn c_library() -> Option<Range<usize>> {
    let of_library = libc::sigprocmask as *const () as usize;
    let own = c_library as *const () as usize;
    let mut of = Segments::new(of_library);
    read_maps(|piece| of.feed(piece));
    of.found.filter(|range| !range.contains(&own))
}

/// Looks for one address in the kernel's list of mappings, which comes in pieces.
struct Segments {
    wanted: usize,
    line: [u8; 40],
    len: usize,
    found: Option<Range<usize>>,
}

impl Segments {
    fn new(wanted: usize) -> Self {
        Self { wanted, line: [0; 40], len: 0, found: None }
    }

    fn feed(&mut self, piece: &[u8]) {
        for &byte in piece {
            if byte == b'\n' {
                self.end_line();
                self.len = 0;
            } else if let Some(place) = self.line.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
    }

    fn end_line(&mut self) {
        let range = self.line.get(..self.len).and_then(|line| {
            let mut ends = line.split(|&byte| byte == b' ').next()?.split(|&byte| byte == b'-');
            let low = hexadecimal(ends.next()?)? as usize;
            Some(low..hexadecimal(ends.next()?)? as usize)
        });
        if let Some(range) = range.filter(|range| range.contains(&self.wanted)) {
            self.found = Some(range);
        }
    }
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(text).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_come_in_pieces() {
        let text = b"1000-2000 r--p 0 /a\n2000-5000 r-xp 00000000 00:00 0 /a long name of a file\n";
        for size in 1..text.len() {
            let mut segments = Segments::new(0x4fff);
            text.chunks(size).for_each(|piece| segments.feed(piece));
            assert_eq!(segments.found, Some(0x2000..0x5000));
        }
    }
}
