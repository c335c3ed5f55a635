//! Records that were damaged, for fuzzers and for a test that plays a few.
//!
//! Layer 2.  Plane: control.

use super::read::{Record, Words, copy};
use super::write::Start;
use super::*;
use crate::report::{Account, Halt, Report, Threads, Timestamp};

const NONCE: u64 = 0x5eed_f00d_0bad_cafe;

/// Reads a page that `data` damages: in the first byte's lowest bit, whether it is all of `data`,
/// or one that was written as it should be and of which bits are flipped; in the next, where it is
/// cut.
///
/// # Panics
///
/// If a section is read as something that nobody has written.
#[cfg_attr(not(fuzzing), expect(unreachable_pub, reason = "public for fuzz targets alone"))]
pub fn damaged_record(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let written = written();
    let mut words = if kind & 1 == 0 { written.clone() } else { random(data) };
    let len = if kind & 2 == 0 { PAGE_WORDS } else { usize::from(kind) * 4 % PAGE_WORDS };
    if kind & 1 == 0 {
        flip(&mut words, data);
    }
    let record = Record { words: words.get(..len).unwrap(), nonce: NONCE };
    let intact = Record { words: &*written, nonce: NONCE };
    // Whatever is read at all is what was written; of random bytes it is nothing.
    let may_say = kind & 1 == 0;
    same(record.attached(), intact.attached(), may_say);
    same(record.elected(), intact.elected(), may_say);
    same(record.figures(), intact.figures(), may_say);
    same(record.halted(), intact.halted(), may_say);
    same(record.report(), intact.report(), may_say);
    same(record.outcome(), intact.outcome(), may_say);
    same(record.ending(), intact.ending(), may_say);
    same(yes(record.hook_began()), Ok(Some(())), may_say);
    same(yes(record.replaced()), Ok(Some(())), may_say);
    let _ = record.is_damaged();
    for section in SECTIONS {
        if kind & 1 == 0 && record.payload_is(section) == Ok(true) {
            let place = section.place()..=section.place() + section.words();
            assert_eq!(words.get(place.clone()), written.get(place), "{section:?}");
        }
    }
}

fn yes(answer: Result<bool, read::Damaged>) -> Result<Option<()>, read::Damaged> {
    answer.map(|is| is.then_some(()))
}

#[track_caller]
fn same<T: PartialEq + core::fmt::Debug>(
    found: Result<Option<T>, read::Damaged>,
    written: Result<Option<T>, read::Damaged>,
    may_say: bool,
) {
    if let Ok(Some(_)) = found {
        assert!(may_say && found == written, "{found:?}, and not {written:?}");
    }
}

/// A page on which everything was written.
fn written() -> Box<Words> {
    let page = Box::new(Page([const { AtomicU64::new(0) }; PAGE_WORDS]));
    for (word, value) in page.0.iter().zip(header(NONCE)) {
        word.store(value, Relaxed);
    }
    let mut report = Report::new();
    report.account = Account::new("parser", 1 << 20, 2 << 20, Some(3 << 20));
    report.message.set("a message");
    report.thread.set("main");
    page.attached(&Start { pid: 1, budget: Some(5), ..Start::default() });
    page.elected(Cause::Requested, 7, Timestamp { seconds: 1, nanoseconds: 2 });
    page.figures(&report);
    page.halted(Halt::Unproven, Some(Threads { seen: 2, halted: 1 }));
    page.report(b"{\"failfast\":1}");
    page.hook_began();
    page.replaced();
    page.outcome(HookOutcome::Skipped);
    page.ending(EndedBy::Gate, 8);
    let mut words = Box::new([0; PAGE_WORDS]);
    copy(&page, &mut words);
    words
}

fn random(data: &[u8]) -> Box<Words> {
    let mut words = Box::new([0; PAGE_WORDS]);
    let bytes = data.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    // A short input fills the page by coming again: every section has something in it.
    let bytes = bytes.collect::<Vec<_>>();
    for (to, from) in words.iter_mut().zip(bytes.iter().cycle()) {
        *to = *from;
    }
    words
}

/// Flips the bits that `data` numbers, two bytes each; at most three, which the checksum notices
/// for certain.
fn flip(words: &mut Words, data: &[u8]) {
    for number in data.as_chunks::<2>().0.iter().take(3) {
        let bit = usize::from(u16::from_le_bytes(*number)) % (PAGE_WORDS * 64);
        if let Some(word) = words.get_mut(bit / 64) {
            *word ^= 1 << (bit % 64);
        }
    }
}

#[test]
fn a_few_damages() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..300_u32 {
        let data: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(1 + (round % 64) as usize)
        .collect();
        damaged_record(&data);
    }
}
