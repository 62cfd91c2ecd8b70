//! The functions under test, each a separate binary.

/// A binary of a package in `functions/`. Each runtime has a separate package, so that it is compiled only with its own
/// features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    pub package: &'static str,
    pub bin: &'static str,
}

const fn program(package: &'static str, bin: &'static str) -> Program {
    Program { package, bin }
}

pub const BARE_BLOCKING_ECHO: Program = program("bare-blocking", "bare-blocking-echo");
pub const BARE_BLOCKING_STREAMING: Program = program("bare-blocking", "bare-blocking-streaming");

pub const BARE_TOKIO_ECHO: Program = program("bare-tokio", "bare-tokio-echo");
pub const BARE_TOKIO_STREAMING: Program = program("bare-tokio", "bare-tokio-streaming");
pub const BARE_TOKIO_MULTI_THREAD_ECHO: Program = program("bare-tokio-multi-thread", "bare-tokio-multi-thread-echo");
pub const BARE_TOKIO_CONCURRENT: Program = program("bare-tokio-multi-thread", "bare-tokio-concurrent");
pub const BARE_SMOL_ECHO: Program = program("bare-smol", "bare-smol-echo");
pub const BARE_SMOL_STREAMING: Program = program("bare-smol", "bare-smol-streaming");
pub const BARE_SMOL_CONCURRENT: Program = program("bare-smol", "bare-smol-concurrent");

pub const OFFICIAL_ECHO: Program = program("official", "official-echo");
pub const OFFICIAL_TYPED: Program = program("official", "official-typed");
pub const OFFICIAL_ECHO_MULTI_THREAD: Program = program("official", "official-echo-multi-thread");
pub const OFFICIAL_RAW: Program = program("official-raw", "official-raw");
pub const OFFICIAL_STREAMING: Program = program("official", "official-streaming");
pub const OFFICIAL_CONCURRENT: Program = program("official-concurrent", "official-concurrent");

pub const TOKIO_ECHO: Program = program("on-tokio", "tokio-echo");
pub const TOKIO_LEAN: Program = program("on-tokio-lean", "tokio-lean");
pub const TOKIO_PIPELINED: Program = program("on-tokio", "tokio-pipelined");
pub const TOKIO_RAW: Program = program("on-tokio", "tokio-raw");
pub const TOKIO_STREAMING: Program = program("on-tokio", "tokio-streaming");
pub const TOKIO_ECHO_MULTI_THREAD: Program = program("on-tokio-multi-thread", "tokio-echo-multi-thread");
pub const TOKIO_CONCURRENT: Program = program("on-tokio-multi-thread", "tokio-concurrent");
pub const TOKIO_TYPED: Program = program("on-tokio", "tokio-typed");
pub const SMOL_OWN_ECHO: Program = program("on-smol", "smol-own-echo");
pub const SMOL_OWN_PIPELINED: Program = program("on-smol", "smol-own-pipelined");
pub const SMOL_OWN_RAW: Program = program("on-smol", "smol-own-raw");
pub const BLOCKING_ECHO: Program = program("on-blocking", "blocking-echo");
pub const BLOCKING_PIPELINED: Program = program("on-blocking", "blocking-pipelined");
pub const BLOCKING_RAW: Program = program("on-blocking", "blocking-raw");
pub const BLOCKING_STREAMING: Program = program("on-blocking", "blocking-streaming");
pub const BLOCKING_TYPED: Program = program("on-blocking", "blocking-typed");
pub const SMOL_ECHO: Program = program("on-smol", "smol-echo");
pub const SMOL_STREAMING: Program = program("on-smol", "smol-streaming");
pub const SMOL_CONCURRENT: Program = program("on-smol", "smol-concurrent");

/// The echo on each executor, whose features are chosen when it is built.
pub const FEATURED: [(&str, Program); 3] = [
    ("tokio", program("featured", "featured-tokio")),
    ("smol", program("featured", "featured-smol")),
    ("blocking", program("featured", "featured-blocking")),
];
