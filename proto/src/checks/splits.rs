//! Split invariance: the same bytes have the same effect in pieces of any size.

use super::{Command, Entropy, Entry, Side, Step, trace};
use crate::Limits;

/// Messages up to this length are split in two at every position, and longer ones at this many positions.
const EVERYWHERE: usize = 1024;

/// Runs `script` with complete messages, byte by byte, with every split in two, and with random splits. Returns the trace,
/// which must be the same for all of them.
///
/// # Panics
///
/// If two of them differ.
pub fn check_splits(side: Side, limits: &Limits, script: &[Step]) -> Vec<Entry> {
    let complete = trace(side, limits, script, &mut <[u8]>::len);
    let same = |how: &str, split: &mut dyn FnMut(&[u8]) -> usize| {
        let other = trace(side, limits, script, split);
        assert_same(&other, &complete, how, script);
    };
    same("byte by byte", &mut |_| 1);
    let longest = script.iter().map(|step| if let Step::Receive(bytes) = step { bytes.len() } else { 0 }).max();
    let longest = longest.unwrap_or_default();
    for at in (1..longest).step_by(longest.div_ceil(EVERYWHERE).max(1)) {
        // Each message is split once, at this position.
        let mut fresh = 0;
        same(&format!("split at {at}"), &mut |rest| {
            let n = if rest.len() == fresh { rest.len() } else { at.min(rest.len()) };
            fresh = rest.len() - n;
            n
        });
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..4 {
        same(&format!("random splits, round {round}"), &mut |_| {
            // Xorshift: reproducible, and random enough to choose lengths.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 40).unwrap_or_default() + 1
        });
    }
    complete
}

/// Compares events and written bytes separately. How the two interleave depends on the splits: `100 Continue` is written
/// before or after the body is read.
fn assert_same(other: &[Entry], complete: &[Entry], how: &str, script: &[Step]) {
    fn by_direction(trace: &[Entry]) -> (Vec<Entry>, Vec<u8>) {
        let (mut events, mut written) = (Vec::new(), Vec::new());
        for entry in trace {
            match (entry, events.last_mut()) {
                (Entry::Written(bytes), _) => written.extend_from_slice(bytes),
                (Entry::Data(more), Some(Entry::Data(data))) => data.extend_from_slice(more),
                _ => events.push(entry.clone()),
            }
        }
        (events, written)
    }
    assert_eq!(
        by_direction(other),
        by_direction(complete),
        "{how} (left) and complete (right) differ\nscript: {script:?}"
    );
}

/// Arbitrary bytes from the API, in each state of the lifecycle.
pub fn client_bytes(bytes: &[u8]) {
    use Command::{Chunk, Finish, Next, Respond, Stream};
    let limits = Limits::default().head(4096).body(8192).reply_body(64).trailers(2048);
    let event = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let received = || [Step::Receive(bytes.to_vec()), Step::EndOfInput];
    let commands = |commands: &[Command]| commands.iter().copied().map(Step::Command).collect::<Vec<_>>();
    for script in [
        vec![],
        commands(&[Next]),
        [commands(&[Next]), vec![Step::Receive(event.clone())], commands(&[Respond, Next])].concat(),
        [commands(&[Next]), vec![Step::Receive(event)], commands(&[Stream, Chunk, Finish])].concat(),
    ] {
        let script = [script, received().to_vec()].concat();
        let complete = trace(Side::Client, &limits, &script, &mut <[u8]>::len);
        let split = trace(Side::Client, &limits, &script, &mut |_| 1);
        assert_same(&split, &complete, "byte by byte", &script);
    }
}

/// Arbitrary bytes from a runtime.
pub fn server_bytes(bytes: &[u8]) {
    let limits = Limits::default().head(4096).body(8192).reply_body(64).trailers(2048);
    let script = [Step::Receive(bytes.to_vec()), Step::EndOfInput, Step::Command(Command::Reply)];
    let complete = trace(Side::Server, &limits, &script, &mut <[u8]>::len);
    let split = trace(Side::Server, &limits, &script, &mut |_| 1);
    assert_same(&split, &complete, "byte by byte", &script);
}

/// Random commands, and messages that are valid, damaged or random, with all splits.
pub fn splits(bytes: &[u8]) {
    let mut entropy = Entropy::new(bytes);
    let side = if entropy.byte() & 1 == 0 { Side::Client } else { Side::Server };
    let limits = Limits::default()
        .head(2048)
        .body(4096)
        .reply_body(32)
        .trailers(512)
        .chunk_extension(16)
        .interim(64)
        .headers(16);
    let mut script = Vec::new();
    while !entropy.is_empty() && script.len() < 24 {
        script.push(match entropy.below(8) {
            0 => Step::EndOfInput,
            1 => Step::Reconnect,
            2..=4 => {
                let choice = entropy.below(Command::ALL.len());
                Step::Command(Command::ALL.get(choice).copied().unwrap_or(Command::Next))
            }
            _ => Step::Receive(message(side, &mut entropy)),
        });
    }
    check_splits(side, &limits, &script);
}

/// Usually a message that this side expects, sometimes with a few bytes changed or with random content.
fn message(side: Side, entropy: &mut Entropy<'_>) -> Vec<u8> {
    const REPLIES: [&str; 14] = [
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-1\r\nContent-Length: 13\r\n\r\n{\"event\":123}",
        "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n",
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: id-2\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-3\r\n\r\nuntil the end",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        // Over a limit, or incomplete.
        "HTTP/1.1 202 Accepted\r\nContent-Length: 33\r\n\r\n{",
        "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n11\r\n",
        "HTTP/1.1 413 Too Large\r\nContent-Length: 2000\r\n\r\n0123456789abcdef0123456789abcdef0",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 20\r\n\r\n{\"errorMessage\"",
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-4\r\nContent-Length: 4097\r\n\r\n{",
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nfff\r\n",
    ];
    const REQUESTS: [&str; 4] = [
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: x\r\n\r\n",
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    ];
    let known: &[&str] = if side == Side::Client { &REPLIES } else { &REQUESTS };
    let choice = entropy.below(known.len() + 1);
    let Some(message) = known.get(choice) else {
        let n = entropy.below(64);
        return entropy.take(n).to_vec();
    };
    let mut message = message.as_bytes().to_vec();
    for _ in 0..entropy.below(4).saturating_sub(1) {
        let at = entropy.below(message.len());
        if let Some(byte) = message.get_mut(at) {
            *byte = entropy.byte();
        }
    }
    message
}
