//! Real programs' stack overflows: what well-known crates do with input that is nested too deeply,
//! and what everybody writes by hand.
//!
//! Each case is run at a depth that no stack of 8 MiB bears, and at one that every stack does.
//! `tests/reported.rs` declares a `FailFast`; `tests/runtime.rs` does not, and shows that the same
//! cases end in the standard library's text without it.

pub mod cases;
pub mod judge;

/// Gives `$then` every case: its name, what it does, a depth that is too deep for it, and how
/// it ends under a stack budget: `over` it in every case, or, at the latest, `past` it.
#[macro_export]
macro_rules! with_all_cases {
    ($then:ident) => {
        $then! {
            "syn_parentheses", $crate::cases::syn_parentheses, 100_000, past_budget;
            "syn_types", $crate::cases::syn_types, 100_000, past_budget;
            "kdl_children", $crate::cases::kdl_children, 100_000, past_budget;
            "json_arrays", $crate::cases::json_arrays, 100_000, past_budget;
            "json_drop", $crate::cases::json_drop, 1_000_000, past_budget;
            "json_clone", $crate::cases::json_clone, 1_000_000, over_budget;
            "regex_groups", $crate::cases::regex_groups, 50_000, past_budget;
            "ron_lists", $crate::cases::ron_lists, 100_000, past_budget;
            "boxes_drop", $crate::cases::boxes_drop, 1_000_000, past_budget;
            "boxes_debug", $crate::cases::boxes_debug, 1_000_000, past_budget;
        }
    };
}
