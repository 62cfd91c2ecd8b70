//! The functions on this project's runtime.

extern crate lambda_runtime_tokio as runtime;

#[path = "../functions.rs"]
mod functions;

fn main() -> Result<(), runtime::Error> {
    functions::serve()
}
