//! Tests alone: see `tests/real`.
