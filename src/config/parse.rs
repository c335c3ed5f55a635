//! A budget that a program reads for itself: from its command line, say.
//!
//! Layer 3.  Plane: control.

use core::fmt;
use core::str::FromStr;

use super::choice::Limit;
use super::value;

/// Why a text is no [`Limit`]. Its `Display` is one line that says what was given and what was
/// expected.
///
/// # Examples
///
/// ```
/// use failfast_alloc::Limit;
///
/// let error = "12Q".parse::<Limit>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`12Q` is not a size; expected bytes, 64MiB, 75%, auto or unlimited"
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParseLimitError {
    text: String,
    what: &'static str,
}

impl fmt::Display for ParseLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, what } = self;
        let text = text.escape_debug();
        write!(f, "`{text}` {what}; expected bytes, 64MiB, 75%, auto or unlimited")
    }
}

impl std::error::Error for ParseLimitError {}

/// A budget, written as in the environment: `65536`, `64MiB`, `1.5GiB`, `75%`, `auto`, `unlimited`.
///
/// # Errors
///
/// It is nothing of that, or it is zero, more than 100 % or more than `isize::MAX` bytes.
///
/// ```
/// use failfast_alloc::Limit;
///
/// assert_eq!("64MiB".parse(), Ok(Limit::mib(64)));
/// assert_eq!("75%".parse(), Ok(Limit::percent(75)));
/// assert_eq!("unlimited".parse(), Ok(Limit::Unlimited));
/// assert!("0".parse::<Limit>().is_err());
/// ```
impl FromStr for Limit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, ParseLimitError> {
        value::limit(text.as_bytes())
            .map_err(|fault| ParseLimitError { text: text.to_owned(), what: fault.what })
    }
}

/// As in the environment, and as it is parsed: bytes in plain figures, `75%`, `auto`, `unlimited`.
///
/// ```
/// use failfast_alloc::Limit;
///
/// assert_eq!(Limit::mib(64).to_string(), "67108864");
/// for limit in [Limit::kib(1), Limit::percent(75), Limit::Auto, Limit::Unlimited] {
///     assert_eq!(limit.to_string().parse(), Ok(limit));
/// }
/// ```
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.pad("unlimited"),
            Self::Auto => f.pad("auto"),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
