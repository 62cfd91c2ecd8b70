//! Runs a function on this machine as AWS Lambda does.

use std::process::ExitCode;

fn main() -> ExitCode {
    lambda_emulator::main()
}
