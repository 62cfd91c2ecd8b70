//! Field names.

/// The names of the fields that the machines look up. A head is compared with them once, when it is parsed.
///
/// The first ones are those of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    RequestId,
    Deadline,
    FunctionArn,
    TraceId,
    ClientContext,
    CognitoIdentity,
    TenantId,
    InvocationId,
    ContentType,
    ContentLength,
    TransferEncoding,
    Connection,
    Expect,
    /// Starts with `Lambda-Runtime-`.
    OtherOfRuntime,
    Other,
}

const PREFIX: &[u8] = b"Lambda-Runtime-";

impl Name {
    /// The number of names of an invocation.
    pub(crate) const OF_INVOCATION: usize = Name::ContentType as usize + 1;

    const KNOWN: [(&'static [u8], Name); 13] = [
        (b"Lambda-Runtime-Aws-Request-Id", Name::RequestId),
        (b"Lambda-Runtime-Deadline-Ms", Name::Deadline),
        (b"Lambda-Runtime-Invoked-Function-Arn", Name::FunctionArn),
        (b"Lambda-Runtime-Trace-Id", Name::TraceId),
        (b"Lambda-Runtime-Client-Context", Name::ClientContext),
        (b"Lambda-Runtime-Cognito-Identity", Name::CognitoIdentity),
        (b"Lambda-Runtime-Aws-Tenant-Id", Name::TenantId),
        (b"Lambda-Runtime-Invocation-Id", Name::InvocationId),
        (b"Content-Type", Name::ContentType),
        (b"Content-Length", Name::ContentLength),
        (b"Transfer-Encoding", Name::TransferEncoding),
        (b"Connection", Name::Connection),
        (b"Expect", Name::Expect),
    ];

    /// Ignores case (RFC 9110 section 5.1).
    pub(crate) fn of(name: &[u8]) -> Self {
        let known = Self::KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, known)) => *known,
            None if name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) => {
                Name::OtherOfRuntime
            }
            None => Name::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored() {
        for (name, expected) in [
            ("Content-Length", Name::ContentLength),
            ("content-length", Name::ContentLength),
            ("LAMBDA-RUNTIME-AWS-REQUEST-ID", Name::RequestId),
            ("lambda-runtime-traceparent", Name::OtherOfRuntime),
            ("Lambda-Runtime-", Name::OtherOfRuntime),
            ("Lambda-Runtime", Name::Other),
            ("Content-Lengths", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::of(name.as_bytes()), expected, "{name}");
        }
    }
}
