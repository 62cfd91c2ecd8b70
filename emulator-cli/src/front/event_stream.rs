//! The frames of `application/vnd.amazon.eventstream`, in which InvokeWithResponseStream replies. See [Event stream
//! encoding](https://smithy.io/2.0/aws/amazon-eventstream.html).

use bytes::Bytes;

/// The largest payload of a frame: longer data is split.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// The frames with these bytes of the response.
pub(super) fn payload_chunks(data: &[u8]) -> impl Iterator<Item = Bytes> {
    data.chunks(MAX_PAYLOAD).map(|piece| frame("PayloadChunk", "application/octet-stream", piece))
}

/// The last frame, with this JSON.
pub(super) fn invoke_complete(json: &serde_json::Value) -> Bytes {
    frame("InvokeComplete", "application/json", json.to_string().as_bytes())
}

fn frame(event_type: &str, content_type: &str, payload: &[u8]) -> Bytes {
    /// The two lengths and their checksum.
    const PRELUDE: usize = 12;
    const CHECKSUM: usize = 4;
    let mut headers = Vec::with_capacity(128);
    for (name, value) in [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")] {
        /// The type of a header whose value is text.
        const STRING: u8 = 7;
        // Names and values are the short ones of this file.
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name.as_bytes());
        headers.push(STRING);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE + headers.len() + payload.len() + CHECKSUM;
    let mut frame = Vec::with_capacity(total);
    for length in [total, headers.len()] {
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    push_checksum(&mut frame);
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    push_checksum(&mut frame);
    frame.into()
}

/// Appends the CRC-32 of everything that precedes it.
fn push_checksum(frame: &mut Vec<u8>) {
    let checksum = crc32fast::hash(frame);
    frame.extend_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Frames that another program computed, with zlib's CRC-32.
    #[test]
    fn a_frame_has_the_bytes_of_the_specification() {
        let expected = concat!(
            "0000006f0000005af5fe871f",
            "0b3a6576656e742d7479706507000c5061796c6f61644368756e6b",
            "0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d",
            "0d3a6d6573736167652d747970650700056576656e74",
            "48656c6c6f",
            "e8263d64",
        );
        let frame = payload_chunks(b"Hello").next().unwrap();
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn long_data_is_split() {
        let sizes: Vec<usize> = payload_chunks(&vec![0; MAX_PAYLOAD + 1]).map(|frame| frame.len()).collect();
        assert_eq!(sizes.len(), 2);
        assert_eq!(sizes.iter().sum::<usize>(), MAX_PAYLOAD + 1 + 2 * (16 + 90));
    }
}
