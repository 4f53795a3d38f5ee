//! Event streams as the HTML standard describes them, fed with whatever pieces the network
//! delivers. How much is read altogether is limited where the pieces come from.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its `event:` line; empty without one.
    pub name: String,
    /// Its `data:` lines, joined.
    pub text: String,
}

/// Reads events out of pieces of bytes.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    n_lines: usize,
}

impl Reader {
    /// The events that this piece completes.
    pub fn take(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = piece;
        // The second half of a line end may come with the next piece.
        if std::mem::take(&mut self.after_return) && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.line.extend_from_slice(&rest[..end]);
            let is_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if is_return {
                match rest.first() {
                    Some(b'\n') => rest = &rest[1..],
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            events.extend(self.end_line());
        }
        self.line.extend_from_slice(rest);
        events
    }

    /// The event that the end of the stream completes. The standard would drop it, but some
    /// servers forget the last empty line.
    pub fn finish(&mut self) -> Option<Event> {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.end_line()
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        if bytes.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (std::mem::take(&mut self.n_lines) > 0).then_some(event);
        }
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_start_matches('\u{feff}');
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.n_lines > 0 {
                    self.event.text.push('\n');
                }
                self.event.text.push_str(value);
                self.n_lines += 1;
            }
            // Comments, ids, and whatever comes to be invented.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nevent: ping\ndata: {\"a\":\r\ndata:  1}\r\n\r\ndata: größer\r\rid: 7\n\ndata\n\n";

    fn event(name: &str, text: &str) -> Event {
        Event {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn events_are_the_same_however_the_bytes_arrive() {
        let expected = [
            event("ping", "{\"a\":\n 1}"),
            event("", "größer"),
            event("", ""),
        ];
        for size in 1..=STREAM.len() {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                events.extend(reader.take(piece));
            }
            assert_eq!(events, expected, "in pieces of {size}");
            assert_eq!(reader.finish(), None);
        }
    }

    #[test]
    fn a_last_event_without_its_empty_line_still_counts() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(b"data: [DONE]"), []);
        assert_eq!(reader.finish(), Some(event("", "[DONE]")));
    }
}
