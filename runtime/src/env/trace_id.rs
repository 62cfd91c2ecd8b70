//! The variable by which X-Ray's SDKs learn of the trace.

/// Sets the environment variable `_X_AMZN_TRACE_ID`, or removes it. See
/// [Defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
#[allow(unsafe_code)]
pub(crate) fn set(trace_id: Option<&str>) {
    const VARIABLE: &str = "_X_AMZN_TRACE_ID";
    // SAFETY: the variable is how Lambda defines that a runtime passes the trace on, and there is no other way to write
    // it. The standard library serialises this with every other access through it. What remains is C code that reads the
    // environment on another thread at this very moment; between two invocations, which is when this runs, the
    // function's own code is at rest, and Lambda's other runtimes do the same.
    unsafe {
        match trace_id.filter(|id| !id.contains('\0')) {
            Some(id) => std::env::set_var(VARIABLE, id),
            None => std::env::remove_var(VARIABLE),
        }
    }
}
