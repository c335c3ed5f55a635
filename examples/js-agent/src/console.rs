//! What a script can say: `print` and `console.log`.

use std::io::Write;
use std::{io, slice};

use rquickjs::function::Rest;
use rquickjs::{Coerced, Ctx, FromJs, Function, Object, Result, Value};

pub(crate) fn install(ctx: &Ctx<'_>) -> Result<()> {
    let print = Function::new(ctx.clone(), print)?.with_name("print")?;
    let console = Object::new(ctx.clone())?;
    console.set("log", print.clone())?;
    ctx.globals().set("console", console)?;
    ctx.globals().set("print", print)
}

/// Writes its arguments as `String()` has them, with spaces between and a newline after.
///
/// The line has left the process when this returns: what follows may be the end of it.
fn print<'js>(ctx: Ctx<'js>, values: Rest<Value<'js>>) -> Result<()> {
    let texts = values.iter().map(|value| text(&ctx, value)).collect::<Result<Vec<_>>>()?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", texts.join(" "))?;
    stdout.flush()?;
    Ok(())
}

/// The value as JavaScript's own conversion to a string has it.
pub(crate) fn text<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<String> {
    let Coerced(string) = Coerced::<rquickjs::String<'js>>::from_js(ctx, value.clone())?;
    let string = string.to_cstring()?;
    // SAFETY: the engine's text begins at `as_ptr` and is `len` bytes long. It lives, unchanged,
    // as long as `string`, which outlives the slice. (`as_str` would be wrong: half of a surrogate
    // pair comes out as bytes that are not UTF-8.)
    let bytes = unsafe { slice::from_raw_parts(string.as_ptr().cast::<u8>(), string.len()) };
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
