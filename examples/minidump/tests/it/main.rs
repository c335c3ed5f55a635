//! The program, run as people run it: it dies, and what it leaves is read by other people's reader.

mod child;
mod deaths;
mod dump;
mod servers;
