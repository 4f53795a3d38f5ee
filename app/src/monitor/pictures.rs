//! On the server: the pictures of the monitor. Each has its finding in a sentence and its numbers
//! in a table; what was released meanwhile stands in all of them.

use domain::{
    monitor::{Percentiles, Point, Summary},
    stats::float,
};
use store::monitor::VersionTraffic;

use super::{
    gather::over,
    shapes::{Happening, Picture, Topic},
    words::{self, maybe},
};
use crate::{
    charts::{
        Table,
        marks::Mark,
        series::{self, Across, Line, Series},
    },
    ui::time,
};

/// What a line is made of.
type Read = fn(&Summary) -> Option<f64>;

/// What a topic's picture looks like.
struct Sort {
    topic: Topic,
    /// What the axis up is.
    axis: &'static str,
    /// How numbers read.
    tick: fn(f64) -> String,
    /// Whether the axis begins at nothing.
    from_zero: bool,
    /// The lines where everything is shown together; the first is the one that is spoken of.
    lines: &'static [(&'static str, Read)],
    /// The line of each version where two are compared, and its name.
    one: (&'static str, Read),
}

const SORTS: [Sort; 8] = [
    Sort {
        topic: Topic::Requests,
        axis: "Requests",
        tick: words::few_tick,
        from_zero: true,
        lines: &[
            ("requests", |of| Some(float(of.requests))),
            ("failed", |of| Some(float(of.errors))),
        ],
        one: ("requests", |of| Some(float(of.requests))),
    },
    Sort {
        topic: Topic::Success,
        axis: "Share of requests",
        tick: words::share_tick,
        from_zero: false,
        lines: &[("succeeded", Summary::success_rate)],
        one: ("succeeded", Summary::success_rate),
    },
    Sort {
        topic: Topic::Latency,
        axis: "Until the last token",
        tick: words::time,
        from_zero: true,
        lines: &[
            ("p95", |of| at(of.latency, |of| of.p95)),
            ("p50", |of| at(of.latency, |of| of.p50)),
            ("p99", |of| at(of.latency, |of| of.p99)),
        ],
        one: ("p95", |of| at(of.latency, |of| of.p95)),
    },
    Sort {
        topic: Topic::FirstToken,
        axis: "Until the first token",
        tick: words::time,
        from_zero: true,
        lines: &[
            ("p95", |of| at(of.ttft, |of| of.p95)),
            ("p50", |of| at(of.ttft, |of| of.p50)),
            ("p99", |of| at(of.ttft, |of| of.p99)),
        ],
        one: ("p95", |of| at(of.ttft, |of| of.p95)),
    },
    Sort {
        topic: Topic::Tokens,
        axis: "Tokens",
        tick: words::few_tick,
        from_zero: true,
        lines: &[
            ("input", |of| Some(float(of.tokens.input))),
            ("output", |of| Some(float(of.tokens.output))),
            ("from the cache", |of| Some(float(of.tokens.cache_read))),
        ],
        one: ("output per call", |of| {
            words::per_call(of.tokens.output, of)
        }),
    },
    Sort {
        topic: Topic::Cost,
        axis: "US dollars",
        tick: words::cost,
        from_zero: true,
        lines: &[("cost", Summary::known_cost_usd)],
        one: ("per 1,000 calls", words::cost_per_thousand),
    },
    Sort {
        topic: Topic::Cache,
        axis: "Share of input tokens",
        tick: words::share_tick,
        from_zero: true,
        lines: &[("from the cache", |of| of.tokens.cache_hit_share())],
        one: ("from the cache", |of| of.tokens.cache_hit_share()),
    },
    Sort {
        topic: Topic::Feedback,
        axis: "What people gave",
        tick: words::mean,
        from_zero: false,
        lines: &[("on average", |of| of.feedback.mean())],
        one: ("on average", |of| of.feedback.mean()),
    },
];

fn at(of: Option<Percentiles>, which: fn(Percentiles) -> f64) -> Option<f64> {
    of.map(which)
}

/// Everything together, or one version.
pub fn of(points: &[Point], total: &Summary, happenings: &[Happening]) -> Vec<Picture> {
    let marks = marks(happenings);
    SORTS
        .iter()
        .filter_map(|sort| {
            let lines: Vec<(String, Read, &[Point])> = sort
                .lines
                .iter()
                .map(|(name, read)| ((*name).to_owned(), *read, points))
                .collect();
            let (name, read) = sort.lines.first()?;
            let said = finding(sort, name, *read, points, total)?;
            draw(sort, &lines, &marks, said)
        })
        .collect()
}

/// Two versions, a line each.
pub fn of_pair(
    left: &VersionTraffic,
    right: &VersionTraffic,
    happenings: &[Happening],
) -> Vec<Picture> {
    let marks = marks(happenings);
    // Both end at the same moment.
    let n_steps = over(&left.points).len().max(over(&right.points).len());
    let (left_points, right_points) = (&left.points[..n_steps], &right.points[..n_steps]);
    let name = |traffic: &VersionTraffic| format!("v{}", traffic.version.unwrap_or_default());
    SORTS
        .iter()
        .filter_map(|sort| {
            let (what, read) = sort.one;
            let lines = [
                (name(left), read, left_points),
                (name(right), read, right_points),
            ];
            let (a, b) = (read(&left.total), read(&right.total));
            if a.is_none() && b.is_none() {
                return None;
            }
            let said = format!(
                "{what}: {} {}, {} {}.",
                name(left),
                maybe(a, sort.tick),
                name(right),
                maybe(b, sort.tick)
            );
            draw(sort, &lines, &marks, capital(&said))
        })
        .collect()
}

/// The finding in a sentence; none where nothing was measured.
fn finding(
    sort: &Sort,
    name: &str,
    read: Read,
    points: &[Point],
    total: &Summary,
) -> Option<String> {
    let whole = read(total)?;
    if whole == 0.0 && sort.from_zero {
        return None;
    }
    let measured = || {
        points
            .iter()
            .filter_map(|point| Some((point.at, read(&point.summary)?)))
    };
    // What is worth a look: the lowest success and feedback, the highest of everything else.
    let is_lowest = matches!(sort.topic, Topic::Success | Topic::Feedback | Topic::Cache);
    let extreme = if is_lowest {
        measured().min_by(|one, other| one.1.total_cmp(&other.1))
    } else {
        measured().max_by(|one, other| one.1.total_cmp(&other.1))
    }?;
    let said = format!(
        "{name}: {} over the window, {} {} at {}.",
        (sort.tick)(whole),
        if is_lowest { "lowest" } else { "highest" },
        (sort.tick)(extreme.1),
        time::exact(extreme.0)
    );
    Some(capital(&said))
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    // Percentiles are written small.
    let is_percentile = sentence.starts_with("p9") || sentence.starts_with("p5");
    match letters.next() {
        Some(first) if !is_percentile => first.to_uppercase().chain(letters).collect(),
        Some(_) | None => sentence.to_owned(),
    }
}

fn marks(happenings: &[Happening]) -> Vec<Mark> {
    happenings
        .iter()
        .map(|one| Mark {
            x: seconds(one.at),
            word: one.word.clone(),
            words: format!(
                "{}: {} in {}",
                time::exact(one.at),
                one.sentence,
                one.environment
            ),
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
fn seconds(at: chrono::DateTime<chrono::Utc>) -> f64 {
    at.timestamp() as f64
}

fn draw(
    sort: &Sort,
    lines: &[(String, Read, &[Point])],
    marks: &[Mark],
    caption: String,
) -> Option<Picture> {
    let names: Vec<&str> = lines.iter().map(|(name, ..)| name.as_str()).collect();
    let mut columns = vec!["From, UTC"];
    columns.extend(&names);
    let mut table = Table::new(&columns);
    let (_, _, first) = lines.first()?;
    for (index, point) in first.iter().enumerate() {
        let values: Vec<Option<f64>> = lines
            .iter()
            .map(|(_, read, points)| read(&points.get(index)?.summary))
            .collect();
        // Steps in which nothing happened say nothing.
        if values.iter().flatten().all(|value| *value == 0.0) {
            continue;
        }
        let mut row = vec![time::exact(point.at)];
        row.extend(values.into_iter().map(|value| maybe(value, sort.tick)));
        table.rows.push(row);
    }
    let series = Series {
        lines: lines
            .iter()
            .enumerate()
            .map(|(position, (name, read, points))| Line {
                name: name.clone(),
                position,
                points: points
                    .iter()
                    .map(|point| series::Point {
                        x: seconds(point.at),
                        y: read(&point.summary).unwrap_or(f64::NAN),
                        band: None,
                    })
                    .collect(),
            })
            .collect(),
        across: Across::Time,
        x_axis: "time, UTC".to_owned(),
        y_axis: sort.axis.to_owned(),
        x_tick: words::few_tick,
        y_tick: sort.tick,
        zero: sort.from_zero.then_some(0.0),
        limit: None,
        bounds: None,
    };
    Some(Picture {
        topic: sort.topic,
        chart: series.chart_with(caption, table, marks)?,
    })
}
