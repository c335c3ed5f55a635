//! The other side: a client, a server in a process of its own, and load for it that is bounded in
//! count.

mod client;
mod plan;
mod server;

pub use client::{Answer, Client};
pub use plan::{Figures, Plan, Report};
pub use server::Server;
