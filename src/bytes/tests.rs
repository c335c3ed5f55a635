//! What is a size, a percentage, a duration, and what is none.
//!
//! Layer 0.  Plane: control.

use super::*;

#[test]
fn sizes() {
    let table: &[(&str, Result<usize, Wrong>)] = &[
        ("1", Ok(1)),
        ("1048576", Ok(1 << 20)),
        ("007", Ok(7)),
        ("512B", Ok(512)),
        ("64b", Ok(64)),
        ("1K", Ok(1 << 10)),
        ("1k", Ok(1 << 10)),
        ("2M", Ok(2 << 20)),
        ("3G", Ok(3 << 30)),
        ("4T", Ok(4 << 40)),
        ("1Ki", Ok(1 << 10)),
        ("2Mi", Ok(2 << 20)),
        ("3Gi", Ok(3 << 30)),
        ("4ti", Ok(4 << 40)),
        ("1KiB", Ok(1 << 10)),
        ("64MiB", Ok(64 << 20)),
        ("64mib", Ok(64 << 20)),
        ("64MIB", Ok(64 << 20)),
        ("3GiB", Ok(3 << 30)),
        ("4TiB", Ok(4 << 40)),
        ("1KB", Ok(1_000)),
        ("1kB", Ok(1_000)),
        ("2MB", Ok(2_000_000)),
        ("3GB", Ok(3_000_000_000)),
        ("4TB", Ok(4_000_000_000_000)),
        ("1.5GiB", Ok(3 << 29)),
        ("0.5K", Ok(512)),
        ("0.3KiB", Ok(307)),
        ("1.999B", Ok(1)),
        ("1.0000000000000000000000000000000000000000000000000000000000001KiB", Ok(1 << 10)),
        // Exact to the last digit: 2^-40 of a TiB is one byte, and a hair less is none.
        ("0.0000000000009094947017729282379150390625TiB", Ok(1)),
        ("0.0000000000009094947017729282379150390624TiB", Err(Wrong::Zero)),
        ("9223372036854775807", Ok(SIZE_MAX)),
        ("9223372036854775808", Err(Wrong::TooLarge)),
        ("18446744073709551616", Err(Wrong::TooLarge)),
        ("99999999999999999999999999999999999999999999TiB", Err(Wrong::TooLarge)),
        ("8388607TiB", Ok(8_388_607 << 40)),
        ("8388607.9999999999999TiB", Ok(SIZE_MAX)),
        ("8388608TiB", Err(Wrong::TooLarge)),
        ("16777216.5TiB", Err(Wrong::TooLarge)),
        ("", Err(Wrong::Empty)),
        ("0", Err(Wrong::Zero)),
        ("000", Err(Wrong::Zero)),
        ("0MiB", Err(Wrong::Zero)),
        ("0.0001KiB", Err(Wrong::Zero)),
        ("0.9B", Err(Wrong::Zero)),
    ];
    for (text, expected) in table {
        assert_eq!(size(text.as_bytes()), *expected, "{text}");
    }
}

#[test]
fn no_size() {
    for text in [
        "12Q", "MiB", "-1", "+1", "1.5", "1.", ".5GiB", "1.GiB", "1..5GiB", "1.5.5GiB", " 1", "1 ",
        "1 MiB", "1\tM", "1M\n", "1_000", "1,5G", "0x10", "1e6", "1MiBi", "1KBB", "1iB", "1i",
        "1bi", "1Kib ", "1kbi", "%", "75%", "auto", "1ms", "١", "1\0", "\0", ".", "1PiB", "1EiB",
        "1mm", "1KiBB",
    ] {
        assert_eq!(size(text.as_bytes()), Err(Wrong::Malformed), "{text:?}");
    }
}

#[test]
fn percentages() {
    for percentage in 1..=100_u8 {
        assert_eq!(percent(format!("{percentage}%").as_bytes()), Ok(percentage));
    }
    for (text, wrong) in [
        ("", Wrong::Empty),
        ("%", Wrong::Malformed),
        ("75", Wrong::Malformed),
        ("75 %", Wrong::Malformed),
        ("75%%", Wrong::Malformed),
        ("12.5%", Wrong::Malformed),
        ("-5%", Wrong::Malformed),
        ("0%", Wrong::Zero),
        ("101%", Wrong::TooLarge),
        ("256%", Wrong::TooLarge),
        ("357%", Wrong::TooLarge),
        ("99999999999999999999999%", Wrong::TooLarge),
    ] {
        assert_eq!(percent(text.as_bytes()), Err(wrong), "{text:?}");
    }
}

#[test]
fn durations() {
    let table: &[(&str, Result<Duration, Wrong>)] = &[
        ("500ms", Ok(Duration::from_millis(500))),
        ("5s", Ok(Duration::from_secs(5))),
        ("5S", Ok(Duration::from_secs(5))),
        ("250us", Ok(Duration::from_micros(250))),
        ("2m", Ok(Duration::from_secs(120))),
        ("1.5h", Ok(Duration::from_secs(5_400))),
        ("1.0000000019s", Ok(Duration::from_nanos(1_000_000_001))),
        ("0.001us", Ok(Duration::from_nanos(1))),
        ("0.0009us", Err(Wrong::Zero)),
        ("0s", Err(Wrong::Zero)),
        ("", Err(Wrong::Empty)),
        ("5", Err(Wrong::Malformed)),
        ("s", Err(Wrong::Malformed)),
        ("5 s", Err(Wrong::Malformed)),
        ("5sec", Err(Wrong::Malformed)),
        ("-5s", Err(Wrong::Malformed)),
        ("5124095.5h", Ok(Duration::from_secs(18_446_743_800))),
        ("5124096h", Err(Wrong::TooLarge)),
        ("99999999999999999999s", Err(Wrong::TooLarge)),
    ];
    for (text, expected) in table {
        assert_eq!(duration(text.as_bytes()), *expected, "{text}");
    }
}

/// What is written in a unit is read back, in any case, and one more unit is more by one unit.
#[test]
fn units_are_linear_and_caseless() {
    for (unit, bytes) in SIZE_UNITS {
        let unit = str::from_utf8(unit).unwrap();
        for count in (1..2_000_usize).step_by(7) {
            let text = format!("{count}{unit}");
            assert_eq!(size(text.as_bytes()), Ok(count * bytes as usize), "{text}");
            assert_eq!(size(text.to_uppercase().as_bytes()), size(text.as_bytes()), "{text}");
        }
    }
}

/// Thousandths of a unit, against whole numbers.
#[test]
fn fractions_round_down() {
    for thousandths in 1..10_000_usize {
        let text = format!("{}.{:03}MiB", thousandths / 1_000, thousandths % 1_000);
        assert_eq!(size(text.as_bytes()), Ok((thousandths << 20) / 1_000), "{text}");
    }
}
