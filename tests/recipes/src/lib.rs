//! Nothing: the code of the pages in `docs` is in `tests`.
