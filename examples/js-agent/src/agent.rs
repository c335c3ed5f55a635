//! One engine, one script, and its jobs until none is left.

use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Error, Runtime, Value};

use crate::console;
use crate::rejections::Rejections;

/// A script, and the name it has in stack traces.
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) source: String,
}

/// Runs the script, then its jobs. The error is what a person should read about its end.
pub(crate) fn run(script: Script, native_stack: bool) -> Result<(), String> {
    let runtime = Runtime::new().map_err(cannot_start)?;
    if native_stack {
        runtime.set_max_stack_size(0);
    }
    let context = Context::full(&runtime).map_err(cannot_start)?;
    context.with(|ctx| console::install(&ctx)).map_err(cannot_start)?;
    let rejections = Rejections::watch(&runtime);
    context.with(|ctx| evaluate(&ctx, script))?;
    run_jobs(&runtime)?;
    context.with(|ctx| rejections.verdict(&ctx))
}

fn cannot_start(error: Error) -> String {
    format!("js-agent: cannot start QuickJS: {error}")
}

fn evaluate(ctx: &Ctx<'_>, script: Script) -> Result<(), String> {
    let mut options = EvalOptions::default();
    options.strict = false; // As other engines run scripts; a script may ask for strict mode.
    options.filename = Some(script.name);
    match ctx.eval_with_options::<Value<'_>, _>(script.source, options) {
        Ok(_) => Ok(()),
        Err(error) => Err(uncaught(ctx, error)),
    }
}

fn run_jobs(runtime: &Runtime) -> Result<(), String> {
    loop {
        match runtime.execute_pending_job() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(job) => return Err(job.0.with(|ctx| uncaught(&ctx, Error::Exception))),
        }
    }
}

fn uncaught(ctx: &Ctx<'_>, error: Error) -> String {
    match error {
        Error::Exception => format!("Uncaught {}", describe(ctx, &ctx.catch())),
        other => format!("js-agent: {other}"),
    }
}

/// A thrown value as text, with its stack trace if it has one.
pub(crate) fn describe<'js>(ctx: &Ctx<'js>, thrown: &Value<'js>) -> String {
    // Both may run code of the script, which may throw in its turn.
    let text = console::text(ctx, thrown).unwrap_or_else(|_| {
        ctx.catch();
        format!("({} without text)", thrown.type_name())
    });
    let exception = thrown.as_exception();
    match exception.and_then(|exception| exception.stack()) {
        Some(stack) if !stack.is_empty() => format!("{text}\n{}", stack.trim_end()),
        _ => text,
    }
}
