//! The checksum.
//!
//! Layer 2.  Plane: failure.
//!
//! CRC-32C (Castagnoli), bit-reflected: it notices every error of one, two or three bits in a
//! section, and of any burst up to 32 bits. Damage, not malice, is what it is for: whoever can
//! write to the page can write a right one.

const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut value, mut bit) = (index as u32, 0);
        while bit < 8 {
            value = if value & 1 == 0 { value >> 1 } else { value >> 1 ^ POLYNOMIAL };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// A checksum of what is fed to it.
#[derive(Clone, Copy)]
pub(super) struct Sum(u32);

impl Sum {
    /// Of nothing.
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// Of eight bytes more.
    pub(super) fn word(mut self, word: u64) -> Self {
        for byte in word.to_le_bytes() {
            let index = (self.0 as u8 ^ byte) as usize;
            self.0 = self.0 >> 8 ^ TABLE.get(index).copied().unwrap_or(0);
        }
        self
    }

    /// Of `words` zeroes more.
    pub(super) fn zeroes(self, words: usize) -> Self {
        (0..words).fold(self, |sum, _| sum.word(0))
    }

    /// The sum.
    pub(super) const fn finish(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_has_the_name() {
        // RFC 3720, B.4: 32 bytes of zeroes; and the usual check value of `123456789`, in words.
        assert_eq!(Sum::new().zeroes(4).finish(), 0x8a91_36aa);
        let counted = (0..4_u64).fold(Sum::new(), |sum, word| {
            let first = word as u8 * 8;
            sum.word(u64::from_le_bytes(core::array::from_fn(|i| first + i as u8)))
        });
        assert_eq!(counted.finish(), 0x46dd_794e);
    }
}
