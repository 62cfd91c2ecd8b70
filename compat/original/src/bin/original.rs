//! The functions on the original.

extern crate lambda_runtime as runtime;

#[path = "../functions.rs"]
mod functions;

fn main() -> Result<(), runtime::Error> {
    functions::serve()
}
