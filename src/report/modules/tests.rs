//! Tests of the resolver, against the text that kernels write.
//!
//! Layer 2.  Plane: control.

use super::super::backtrace::{FRAMES_MAX, MODULES_MAX, Place};
use super::*;

/// A program, its heap, a library of four mappings with zeroed memory behind, and the rest.
const MAPS: &[u8] = b"\
55d0c0000000-55d0c0004000 r--p 00000000 08:01 1234                       /opt/my app/server
55d0c0004000-55d0c0014000 r-xp 00003000 08:01 1234                       /opt/my app/server
55d0c0015000-55d0c0017000 rw-p 00014000 08:01 1234                       /opt/my app/server
55d0c0017000-55d0c0018000 rw-p 00000000 00:00 0
55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000026000 r--p 00000000 08:01 99                         /lib/libc.so.6
7f0000026000-7f000017c000 r-xp 00026000 08:01 99                         /lib/libc.so.6
7f000017c000-7f00001cf000 r--p 0017c000 08:01 99                         /lib/libc.so.6
7f00001cf000-7f00001d3000 rw-p 001cf000 08:01 99                         /lib/libc.so.6
7f00001d3000-7f00001e0000 rw-p 00000000 00:00 0 
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
";

fn resolve(addresses: &[usize], pieces: &[&[u8]]) -> Backtrace {
    let mut backtrace = Backtrace::new();
    for address in addresses {
        backtrace.push(*address);
    }
    let mut resolver = backtrace.resolver();
    for piece in pieces {
        resolver.feed(piece);
    }
    resolver.finish();
    backtrace
}

/// Path and offset of each frame.
fn places(backtrace: &Backtrace) -> Vec<Option<(&str, usize)>> {
    let modules = backtrace.modules(FRAMES_MAX);
    let named = |Place { module, offset }| (modules[module].path.as_str(), offset);
    backtrace.frames(FRAMES_MAX).map(|(_, place)| place.map(named)).collect()
}

const ADDRESSES: [usize; 7] = [
    0x7f00_0002_6010,
    0x55d0_c000_4000,
    0x55d0_c001_3fff,
    0x55d0_c001_4000,
    0x55d0_c001_7000,
    0x7ffd_0000_0abc,
    0x1000,
];

#[test]
fn an_offset_is_the_distance_from_the_file_s_first_byte() {
    let backtrace = resolve(&ADDRESSES, &[MAPS]);
    assert_eq!(
        places(&backtrace),
        [
            Some(("/lib/libc.so.6", 0x2_6010)),
            // The linker moved this mapping: 0x3000 in the file, 0x4000 in memory.
            Some(("/opt/my app/server", 0x4000)),
            Some(("/opt/my app/server", 0x1_3fff)),
            None,
            None,
            Some(("[vdso]", 0xabc)),
            None,
        ]
    );
}

#[test]
fn pieces_may_end_anywhere() {
    let whole = resolve(&ADDRESSES, &[MAPS]);
    for at in 0..MAPS.len() {
        let (head, tail) = MAPS.split_at(at);
        assert_eq!(places(&resolve(&ADDRESSES, &[head, tail])), places(&whole), "cut at {at}");
    }
    let bytes: Vec<&[u8]> = MAPS.chunks(1).collect();
    assert_eq!(places(&resolve(&ADDRESSES, &bytes)), places(&whole));
}

#[test]
fn a_text_without_its_end_gives_what_it_holds() {
    let whole = resolve(&ADDRESSES, &[MAPS]);
    for end in 0..MAPS.len() {
        let part = resolve(&ADDRESSES, &[&MAPS[..end]]);
        for (part, whole) in places(&part).iter().zip(places(&whole)) {
            let Some((path, offset)) = part else { continue };
            let (whole_path, whole_offset) = whole.expect("a place that is not there");
            assert!(whole_path.starts_with(path), "{path} {whole_path}");
            assert_eq!(*offset, whole_offset);
        }
    }
}

#[test]
fn modules_are_numbered_as_frames_name_them() {
    let backtrace = resolve(&ADDRESSES, &[MAPS]);
    let paths = |frames| -> Vec<&str> {
        backtrace.modules(frames).iter().map(|module| module.path.as_str()).collect()
    };
    assert_eq!(paths(0), [""; 0]);
    assert_eq!(paths(1), ["/lib/libc.so.6"]);
    assert_eq!(paths(5), ["/lib/libc.so.6", "/opt/my app/server"]);
    assert_eq!(paths(7), ["/lib/libc.so.6", "/opt/my app/server", "[vdso]"]);
}

#[test]
fn a_second_copy_of_a_file_has_its_own_base() {
    let maps = b"\
1000-2000 r--p 00000000 08:01 7 /lib/a.so
2000-3000 r-xp 00001000 08:01 7 /lib/a.so
3000-4000 r--p 00000000 08:01 7 /lib/a.so
4000-5000 r-xp 00001000 08:01 7 /lib/a.so
5000-6000 r-xp 00001000 08:02 7 /lib/b.so
";
    let backtrace = resolve(&[0x2001, 0x4001, 0x5001], &[maps]);
    let bases: Vec<usize> = backtrace.modules(3).iter().map(|module| module.base).collect();
    assert_eq!(bases, [0x1000, 0x3000, 0x4000]);
}

#[test]
fn odd_paths() {
    let maps = b"\
1000-2000 r-xp 00000000 08:01 7                 /tmp/with (deleted) inside (deleted)
2000-3000 r-xp 00000000 08:01 8                 /tmp/two\\012lines
3000-4000 r-xp 00000000 08:01 9                 /tmp/\xff\xfe
4000-5000 r-xp 00000000 08:01 10                anon_inode:[perf]
";
    let backtrace = resolve(&[0x1000, 0x2000, 0x3000, 0x4fff], &[maps]);
    let modules = backtrace.modules(4);
    let seen: Vec<_> = modules.iter().map(|m| (m.path.as_str(), m.deleted)).collect();
    assert_eq!(
        seen,
        [
            ("/tmp/with (deleted) inside", true),
            ("/tmp/two\nlines", false),
            ("/tmp/\u{fffd}\u{fffd}", false),
            ("anon_inode:[perf]", false),
        ]
    );
}

#[test]
fn of_a_long_path_the_end_is_kept() {
    for length in [1, 250, 251, 252, 253, 254, 255, 256, 1000, 4096] {
        let path = format!("/{}/tail.so", "d".repeat(length));
        let maps = format!("1000-2000 r-xp 00000000 08:01 7 {path}\n");
        let backtrace = resolve(&[0x1000], &[maps.as_bytes()]);
        let kept = backtrace.modules(1)[0].path.as_str();
        match kept.strip_prefix(ELLIPSIS) {
            Some(end) => assert!(path.ends_with(end) && kept.len() == PATH_BYTES_MAX),
            None => assert_eq!(kept, path),
        }
        assert!(kept.ends_with("/tail.so"));
    }
}

#[test]
fn lines_that_are_none_are_passed_over() {
    let maps = b"\
1000-20000 r-xp 00000000 08:01 7 /good
\n\
1000-2000
1000-2000 r-xp
1000-2000 r-xp zz 08:01 7 /bad/offset
10000000000000000-20000 r-xp 00000000 08:01 7 /bad/start
1000-2 r-xp 00000000 08:01 7 /bad/order
";
    assert_eq!(places(&resolve(&[0x1500], &[maps])), [Some(("/good", 0x500))]);
}

#[test]
fn what_finds_no_room_has_no_place() {
    let addresses: Vec<usize> = (0..FRAMES_MAX + 3).map(|n| n * 0x1000).collect();
    let lines: Vec<String> = addresses
        .iter()
        .map(|n| format!("{n:x}-{:x} r-xp 00000000 08:01 {} /m{n:x}\n", n + 0x1000, n + 1))
        .collect();
    let backtrace = resolve(&addresses, &[lines.concat().as_bytes()]);
    let placed = places(&backtrace);
    assert_eq!(placed.iter().flatten().count(), MODULES_MAX);
    assert_eq!(placed[15], Some(("/mf000", 0)));
    assert_eq!((backtrace.addresses().len(), backtrace.seen()), (FRAMES_MAX, FRAMES_MAX + 3));
}

/// This very process, by its own map.
#[test]
#[cfg(target_os = "linux")]
fn this_program_finds_itself() {
    let maps = std::fs::read("/proc/self/maps").unwrap();
    let here = resolve as fn(&[usize], &[&[u8]]) -> Backtrace as usize;
    let backtrace = resolve(&[here], &[&maps]);
    let program = std::env::current_exe().unwrap();
    let (path, offset) = places(&backtrace)[0].unwrap();
    assert_eq!(path, program.to_str().unwrap());
    assert_eq!(backtrace.modules(1)[0].base + offset, here);
}
