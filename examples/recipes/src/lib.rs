//! Clusters together with what programs are made of: threads, rayon, tokio, memory that comes from
//! elsewhere. Each recipe is a test, in `tests/`; `docs/clusters.md` says what they have in common.
