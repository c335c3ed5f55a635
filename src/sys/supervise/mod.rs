//! What running programs from outside needs of the kernel.
//!
//! Layer 1.  Plane: control.
//!
//! * `page`: memory to share with a child.
//! * `child`: what a child does to itself between fork and exec.
//! * `namespace`: a process namespace for a child.
//! * `wait`: process descriptors: waiting, and signals to nobody else.

mod child;
mod namespace;
mod page;
mod wait;

pub(crate) use child::{Setup, own_oom_score};
pub(crate) use namespace::in_new_namespace;
pub(crate) use page::SharedPage;
pub(crate) use wait::{
    End, Polled, Waker, is_waitable, open_process, pause, poll, send, send_to_number, take_end,
};
