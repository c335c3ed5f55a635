//! The agent, run as people run it, in child processes.

#[cfg(feature = "cap")]
mod cap;
mod child;
mod command_line;
mod heap;
mod stack;
mod well_behaved;
