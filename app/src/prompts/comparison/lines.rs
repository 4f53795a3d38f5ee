//! From stretches of words to numbered lines, with what did not change far from a change left out.

use domain::diff::{Op, Segment};

use super::{Line, Side, Span};

/// Unchanged lines shown around a change.
const CONTEXT: usize = 2;

/// Most lines of one text shown; whoever changes more reads the versions themselves.
const MAX_LINES: usize = 2_000;

/// The lines of a difference.
pub fn lines(segments: &[Segment]) -> Vec<Line> {
    let mut table = Table::default();
    for segment in segments {
        for (index, text) in segment.text.split('\n').enumerate() {
            if index > 0 {
                table.end_line(segment.op);
            }
            table.write(segment.op, text);
        }
    }
    table.finish()
}

/// Words that only one side has.
pub fn count_words(segments: &[Segment], op: Op) -> u32 {
    let words = segments
        .iter()
        .filter(|segment| segment.op == op)
        .flat_map(|segment| segment.text.split_whitespace())
        .filter(|word| word.contains(char::is_alphanumeric))
        .count();
    u32::try_from(words).unwrap_or(u32::MAX)
}

/// Leaves out unchanged lines far from a change, and says how many; cuts off what is too long.
pub fn folded(lines: Vec<Line>) -> Vec<Line> {
    let is_near: Vec<bool> = (0..lines.len())
        .map(|at| {
            let from = at.saturating_sub(CONTEXT);
            let to = (at + CONTEXT + 1).min(lines.len());
            lines[from..to].iter().any(|line| line.side != Side::Both)
        })
        .collect();
    let mut folded: Vec<Line> = Vec::new();
    let mut hidden: Vec<Line> = Vec::new();
    for (line, is_near) in lines.into_iter().zip(is_near) {
        if folded.len() >= MAX_LINES {
            folded.push(gap("the rest is left out: too many lines differ".to_owned()));
            return folded;
        }
        if is_near {
            unfold(&mut hidden, &mut folded);
            folded.push(line);
        } else {
            hidden.push(line);
        }
    }
    unfold(&mut hidden, &mut folded);
    folded
}

/// A single hidden line takes no more room than saying so.
fn unfold(hidden: &mut Vec<Line>, folded: &mut Vec<Line>) {
    match hidden.len() {
        0 => {}
        1 => folded.append(hidden),
        n_lines => {
            hidden.clear();
            folded.push(gap(format!("{n_lines} lines unchanged")));
        }
    }
}

/// A line that says something about lines.
pub fn gap(words: String) -> Line {
    Line {
        side: Side::Gap,
        old: None,
        new: None,
        spans: vec![Span {
            is_changed: false,
            text: words,
        }],
    }
}

/// Both sides as they grow.
#[derive(Default)]
struct Table {
    lines: Vec<Line>,
    old: Vec<Span>,
    new: Vec<Span>,
    /// Lines of either side since the last one that both have.
    outs: Vec<Vec<Span>>,
    ins: Vec<Vec<Span>>,
    n_old: u32,
    n_new: u32,
}

impl Table {
    fn write(&mut self, op: Op, text: &str) {
        if text.is_empty() {
            return;
        }
        let span = |is_changed| Span {
            is_changed,
            text: text.to_owned(),
        };
        match op {
            Op::Equal => {
                self.old.push(span(false));
                self.new.push(span(false));
            }
            Op::Delete => self.old.push(span(true)),
            Op::Insert => self.new.push(span(true)),
        }
    }

    fn end_line(&mut self, op: Op) {
        match op {
            Op::Delete => self.outs.push(std::mem::take(&mut self.old)),
            Op::Insert => self.ins.push(std::mem::take(&mut self.new)),
            Op::Equal => {
                self.outs.push(std::mem::take(&mut self.old));
                self.ins.push(std::mem::take(&mut self.new));
                // Both sides stand at the same place again.
                if text_of(self.outs.last()) == text_of(self.ins.last()) {
                    self.flush();
                }
            }
        }
    }

    /// Writes the lines gathered: those that both sides share at either end, and between
    /// them first what went, then what came.
    fn flush(&mut self) {
        let outs = std::mem::take(&mut self.outs);
        let ins = std::mem::take(&mut self.ins);
        let is_alike =
            |pair: &(&Vec<Span>, &Vec<Span>)| text_of(Some(pair.0)) == text_of(Some(pair.1));
        let before = outs.iter().zip(&ins).take_while(is_alike).count();
        let after = outs[before..]
            .iter()
            .rev()
            .zip(ins[before..].iter().rev())
            .take_while(is_alike)
            .count();
        for spans in &outs[..before] {
            self.both(spans);
        }
        for spans in &outs[before..outs.len() - after] {
            self.n_old += 1;
            self.push(Side::Out, Some(self.n_old), None, spans.clone());
        }
        for spans in &ins[before..ins.len() - after] {
            self.n_new += 1;
            self.push(Side::In, None, Some(self.n_new), spans.clone());
        }
        for spans in &outs[outs.len() - after..] {
            self.both(spans);
        }
    }

    fn both(&mut self, spans: &[Span]) {
        self.n_old += 1;
        self.n_new += 1;
        let text = spans.iter().map(|span| span.text.as_str()).collect();
        let spans = vec![Span {
            is_changed: false,
            text,
        }];
        self.push(Side::Both, Some(self.n_old), Some(self.n_new), spans);
    }

    fn push(&mut self, side: Side, old: Option<u32>, new: Option<u32>, spans: Vec<Span>) {
        self.lines.push(Line {
            side,
            old,
            new,
            spans,
        });
    }

    fn finish(mut self) -> Vec<Line> {
        // A text that ends with a line break has no further line.
        if !self.old.is_empty() {
            let old = std::mem::take(&mut self.old);
            self.outs.push(old);
        }
        if !self.new.is_empty() {
            let new = std::mem::take(&mut self.new);
            self.ins.push(new);
        }
        self.flush();
        self.lines
    }
}

fn text_of(spans: Option<&Vec<Span>>) -> String {
    spans
        .into_iter()
        .flatten()
        .map(|span| span.text.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::diff::text_diff;

    use super::*;

    /// A line as `old new sign text`, changed stretches in brackets.
    fn drawn(lines: &[Line]) -> Vec<String> {
        let number = |number: Option<u32>| number.map_or("·".to_owned(), |n| n.to_string());
        lines
            .iter()
            .map(|line| {
                let sign = match line.side {
                    Side::Both => '=',
                    Side::In => '+',
                    Side::Out => '-',
                    Side::Gap => '~',
                };
                let text: String = line
                    .spans
                    .iter()
                    .map(|span| {
                        if span.is_changed {
                            format!("[{}]", span.text)
                        } else {
                            span.text.clone()
                        }
                    })
                    .collect();
                format!("{} {} {sign} {text}", number(line.old), number(line.new))
            })
            .collect()
    }

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[&str]) {
        assert_eq!(drawn(&lines(&text_diff(old, new))), expected);
    }

    #[test]
    fn a_changed_line_shows_both_sides_and_the_words_between_them() {
        check(
            "one\ntwo is here now\nthree",
            "one\ntwo was here now\nthree",
            &[
                "1 1 = one",
                "2 · - two [is] here now",
                "· 2 + two [was] here now",
                "3 3 = three",
            ],
        );
    }

    #[test]
    fn lines_that_come_or_go_leave_their_neighbours_alone() {
        check("a\nc\n", "a\nb\nc\n", &["1 1 = a", "· 2 + [b]", "2 3 = c"]);
        check("a\nb\nc", "a\nc", &["1 1 = a", "2 · - [b]", "3 2 = c"]);
        check("foo\n", "foo\nbar\n", &["1 1 = foo", "· 2 + [bar]"]);
        check("foo", "foo\nbar", &["1 1 = foo", "· 2 + [bar]"]);
    }

    #[test]
    fn either_side_may_be_empty() {
        check("", "a\nb", &["· 1 + [a]", "· 2 + [b]"]);
        check("a", "", &["1 · - [a]"]);
        check("", "", &[]);
    }

    #[test]
    fn both_texts_can_be_read_off_the_lines() {
        let (old, new) = ("a b c\n\nd e f\ng\nh i", "a c\nd e x\n\ng g\nh i\nj");
        let lines = lines(&text_diff(old, new));
        let side = |wanted: Side| {
            let of_side = lines
                .iter()
                .filter(|line| line.side == wanted || line.side == Side::Both);
            of_side
                .map(|line| text_of(Some(&line.spans)))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(side(Side::Out), old);
        assert_eq!(side(Side::In), new);
    }

    #[test]
    fn what_did_not_change_is_folded() {
        let old: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
        let mut new = old.clone();
        new[9] = "something else entirely".to_owned();
        let lines = folded(lines(&text_diff(&old.join("\n"), &new.join("\n"))));
        assert_eq!(
            drawn(&lines),
            [
                "· · ~ 7 lines unchanged",
                "8 8 = line 8",
                "9 9 = line 9",
                "10 · - [line 10]",
                "· 10 + [something else entirely]",
                "11 11 = line 11",
                "12 12 = line 12",
                "· · ~ 8 lines unchanged",
            ]
        );
    }
}
