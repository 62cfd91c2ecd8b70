#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lambda_runtime_proto::checks::heads(bytes));
