//! The server, run as people run it, in a process of its own.

mod child;
mod command_line;
mod disconnect;
mod hard;
mod soft;
mod usage;
