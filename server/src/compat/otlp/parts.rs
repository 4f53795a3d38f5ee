//! How many things a request holds, counted before it is unpacked: an empty span is two bytes on the
//! wire and hundreds in memory, so that bytes alone are no limit.

use prost::{
    bytes::Buf,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

/// The most spans, attributes, events and links of a request: an exporter's batch of 512 spans holds
/// some ten thousand.
pub const MOST: usize = 400_000;

/// In JSON each of them is an object.
pub fn of_json(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte == b'{')).sum()
}

/// Fields of resources, scopes and spans, as far as the bytes can be read; whoever decodes says what
/// is wrong with them.
pub fn of_protobuf(bytes: &[u8]) -> usize {
    count(bytes, &[1, 2, 2])
}

/// Counts a message's fields and, along `path`, those of the messages in it.
fn count(mut bytes: &[u8], path: &[u32]) -> usize {
    let mut n_parts = 0;
    while bytes.has_remaining() && n_parts <= MOST {
        let Ok((tag, wire)) = decode_key(&mut bytes) else {
            break;
        };
        n_parts += 1;
        match path.split_first() {
            Some((wanted, rest)) if *wanted == tag && wire == WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).ok();
                let Some((inner, after)) = length
                    .and_then(|length| usize::try_from(length).ok())
                    .and_then(|length| bytes.split_at_checked(length))
                else {
                    break;
                };
                n_parts += count(inner, rest);
                bytes = after;
            }
            _ if skip_field(wire, tag, &mut bytes, DecodeContext::default()).is_err() => break,
            _ => {}
        }
    }
    n_parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_on_the_wire_is_counted() {
        // One resource's one scope with a thousand empty spans.
        let spans = [0x12, 0].repeat(1_000);
        let wrap = |tag: u8, inner: &[u8]| {
            let mut out = vec![tag];
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            out.extend_from_slice(inner);
            out
        };
        let body = wrap(0x0a, &wrap(0x12, &spans));
        assert_eq!(of_protobuf(&body), 1_002);
        assert_eq!(of_json(br#"{"a":[{},{}]}"#), 3);
    }

    #[test]
    fn bytes_that_are_no_message_do_no_harm() {
        for bytes in [
            &[0xff; 40][..],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x0a, 5, 0x12],
            &[],
        ] {
            assert!(of_protobuf(bytes) <= 40);
        }
    }
}
