//! Promises that were rejected while nobody handled it. An error nobody sees is not a success.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::{Ctx, Persistent, Runtime, Value};

use crate::agent::describe;

struct Rejection {
    promise: Persistent<Value<'static>>,
    reason: Persistent<Value<'static>>,
}

/// The rejections that are not handled so far, oldest first.
pub(crate) struct Rejections(Rc<RefCell<Vec<Rejection>>>);

impl Rejections {
    pub(crate) fn watch(runtime: &Runtime) -> Self {
        let open = Rc::new(RefCell::new(Vec::new()));
        let tracked = Rc::clone(&open);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |ctx, promise, reason, is_handled| {
                let promise = Persistent::save(&ctx, promise);
                let mut open = tracked.borrow_mut();
                if is_handled {
                    open.retain(|rejection: &Rejection| rejection.promise != promise);
                } else {
                    open.push(Rejection { promise, reason: Persistent::save(&ctx, reason) });
                }
            },
        )));
        Self(open)
    }

    /// An error with a text for the first of them, if there are any.
    pub(crate) fn verdict(&self, ctx: &Ctx<'_>) -> Result<(), String> {
        let Some(first) = self.0.borrow().first().map(|open| open.reason.clone()) else {
            return Ok(());
        };
        let reason = first.restore(ctx).map_err(|error| error.to_string())?;
        Err(format!("Unhandled rejection: {}", describe(ctx, &reason)))
    }
}

/// The engine insists that no value outlives it, and the tracker, which it owns, holds some here.
impl Drop for Rejections {
    fn drop(&mut self) {
        self.0.borrow_mut().clear();
    }
}
