//! What overflows. Each function takes a depth, and asserts that what is not too deep is taken.

use std::hint::black_box;

use serde::Deserialize;
use serde_json::Value;

/// `opening` and `closing`, so many times, around `middle`.
fn nested(depth: usize, opening: &str, middle: &str, closing: &str) -> String {
    format!("{}{middle}{}", opening.repeat(depth), closing.repeat(depth))
}

/// Rust expressions: a recursive descent whose frames are large.
pub fn syn_parentheses(depth: usize) {
    let expression = syn::parse_str::<syn::Expr>(&nested(depth, "(", "1", ")")).unwrap();
    assert!(matches!(black_box(expression), syn::Expr::Paren(_)));
}

/// Rust types: the tokens are flat, the tree is not.
pub fn syn_types(depth: usize) {
    let of_type = syn::parse_str::<syn::Type>(&nested(depth, "&", "u8", "")).unwrap();
    assert!(matches!(black_box(of_type), syn::Type::Reference(_)));
}

/// A document of KDL: parser combinators.
pub fn kdl_children(depth: usize) {
    let document: kdl::KdlDocument = nested(depth, "a {\n", "b 1", "\n}").parse().unwrap();
    assert_eq!(black_box(document).nodes().len(), 1);
}

/// JSON, with the parser's own limit switched off.
pub fn json_arrays(depth: usize) {
    let text = nested(depth, "[", "1", "]");
    let mut parser = serde_json::Deserializer::from_str(&text);
    parser.disable_recursion_limit();
    assert!(black_box(Value::deserialize(&mut parser).unwrap()).is_array());
}

/// A value that was built by a loop, and is dropped by recursion.
pub fn json_drop(depth: usize) {
    drop(black_box(json(depth)));
}

/// A value that was built by a loop, and is copied by recursion, which allocates in each frame.
pub fn json_clone(depth: usize) {
    let value = json(depth);
    assert_eq!(black_box(value.clone()), value);
}

fn json(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

/// A regular expression: the parser has a stack of its own, the compiler recurses.
pub fn regex_groups(depth: usize) {
    let mut builder = regex::RegexBuilder::new(&nested(depth, "(", "a", ")?"));
    let limits = builder.nest_limit(u32::MAX).size_limit(usize::MAX).unicode(false);
    assert!(black_box(limits.build().unwrap()).is_match("a"));
}

/// RON, with the parser's own limit switched off.
pub fn ron_lists(depth: usize) {
    let options = ron::Options::default().without_recursion_limit();
    let value: ron::Value = options.from_str(&nested(depth, "[", "1", "]")).unwrap();
    assert!(matches!(black_box(value), ron::Value::Seq(_)));
}

/// A list as the textbooks have it.
#[derive(Debug)]
struct List {
    #[expect(dead_code, reason = "it is formatted, and dropped")]
    rest: Option<Box<List>>,
}

fn list(depth: usize) -> List {
    (0..depth).fold(List { rest: None }, |rest, _| List { rest: Some(Box::new(rest)) })
}

/// Its destructor, which the compiler writes, recurses and frees.
pub fn boxes_drop(depth: usize) {
    drop(black_box(list(depth)));
}

/// Its formatting, which the compiler writes as well, recurses and never allocates.
pub fn boxes_debug(depth: usize) {
    struct Nowhere(usize);
    impl std::fmt::Write for Nowhere {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.matches("Box").count() + text.matches("rest").count();
            Ok(())
        }
    }
    let (list, mut nowhere) = (list(depth), Nowhere(0));
    std::fmt::write(&mut nowhere, format_args!("{list:?}")).unwrap();
    assert_eq!(nowhere.0, depth + 1);
}
