//! How pictures and tables look.

use domain::stats::Interval;
use leptos::prelude::*;

use super::{Extra, Plot, Table, points};
use crate::{
    runs::words::{percent, signed},
    ui::{Glyph, Icon, TableWrap},
};

impl Extra {
    /// The picture with its table behind it, or the table alone.
    pub fn view(self) -> AnyView {
        let is_open = self.plot.is_none();
        let name = self.table.caption.clone();
        let table = self.table.view();
        let plot = self.plot.map(Plot::view);
        if is_open {
            view! { <div class="stack" data-gap="small"><h3>{name}</h3>{table}</div> }.into_any()
        } else {
            view! {
                <div class="stack" data-gap="small">
                    {plot}
                    <details>
                        <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>{name}</summary>
                        {table}
                    </details>
                </div>
            }
            .into_any()
        }
    }
}

impl Table {
    fn view(self) -> impl IntoView {
        let head = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, words)| view! { <th scope="col" data-align=(index > 0).then_some("end")>{*words}</th> })
            .collect_view();
        let rows = self
            .rows
            .into_iter()
            .map(|cells| {
                let cells = cells
                    .into_iter()
                    .enumerate()
                    .map(|(index, words)| match index {
                        0 => view! { <th scope="row">{words}</th> }.into_any(),
                        _ => view! { <td data-align="end">{words}</td> }.into_any(),
                    })
                    .collect_view();
                view! { <tr>{cells}</tr> }
            })
            .collect_view();
        view! {
            <TableWrap label=self.caption.clone()>
                <table class="table">
                    <caption class="sr-only">{self.caption}</caption>
                    <thead><tr>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
    }
}

impl Plot {
    fn view(self) -> AnyView {
        match self {
            Self::Curve {
                points,
                wanted,
                ends,
                axis,
            } => curve(&points, wanted, ends, axis),
            Self::Intervals(intervals) => intervals_view(&intervals),
        }
    }
}

fn curve(points: &[(f64, f64)], wanted: f64, ends: [String; 2], axis: &'static str) -> AnyView {
    let most = points.last().map_or(1.0, |point| point.0);
    let line = points
        .iter()
        .map(|(x, power)| format!("{:.2} {:.2}", x / most * 100.0, 100.0 - power * 100.0))
        .collect::<Vec<_>>()
        .join("L");
    let at = 100.0 - wanted * 100.0;
    let shape = format!(
        r#"<path class="plot-axis" d="M0 0V100H100"/><path class="plot-grid" d="M0 50H100"/><path class="plot-wanted" d="M0 {at:.2}H100M50 0V100"/><path class="plot-line" d="M{line}"/>"#
    );
    let [from, to] = ends;
    let finding = format!(
        "Power by {}: the dashed lines cross at the {} asked for.",
        axis.to_lowercase(),
        percent(wanted)
    );
    view! {
        <figure class="curve-plot">
            <div class="curve-scale" aria-hidden="true"><span>"100 %"</span><span>"50 %"</span><span>"0 %"</span></div>
            <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-labelledby="curve-f" inner_html=shape></svg>
            <div class="curve-ends" aria-hidden="true"><span>{from}</span><span>{axis}</span><span>{to}</span></div>
            <figcaption id="curve-f">{finding}</figcaption>
        </figure>
    }
    .into_any()
}

fn intervals_view(intervals: &[(&'static str, f64, Interval)]) -> AnyView {
    let reach = intervals
        .iter()
        .flat_map(|(_, _, interval)| [interval.lower.abs(), interval.upper.abs()])
        .fold(0.0, f64::max);
    let ends = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]
        .into_iter()
        .find(|end| reach <= *end)
        .unwrap_or(1.0);
    // An always-valid interval of few units reaches beyond what a difference can be.
    let at = |value: f64| (50.0 + value / ends * 50.0).clamp(0.0, 100.0);
    let rows = intervals
        .iter()
        .map(|(name, estimate, interval)| {
            let (from, to) = (at(interval.lower), at(interval.upper));
            let shape = format!(
                r#"<line class="plot-axis" x1="0" x2="100" y1="14" y2="14"/><line class="plot-zero" x1="50" x2="50" y1="0" y2="28"/><rect class="plot-bar" x="{from:.2}" width="{:.2}" y="9" height="10"/><line class="plot-point" x1="{point:.2}" x2="{point:.2}" y1="5" y2="23"/>"#,
                (to - from).max(0.5),
                point = at(*estimate),
            );
            let tone = if interval.lower > 0.0 {
                "good"
            } else if interval.upper < 0.0 {
                "bad"
            } else {
                "open"
            };
            let words = format!("{} pp, {}", signed(*estimate), points(*interval));
            let label = format!("{name}: {words}");
            view! {
                <div class="interval-row interval-plot" data-tone=tone>
                    <b>{*name}</b>
                    <svg viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=label inner_html=shape></svg>
                    <span>{words}</span>
                </div>
            }
        })
        .collect_view();
    let ends = format!("{:.0} pp", ends * 100.0);
    view! {
        <figure class="interval-rows">
            <figcaption>"Challenger minus control, with its interval"</figcaption>
            {rows}
            <div class="interval-scale" aria-hidden="true">
                <span>{format!("−{ends}")}</span><span>"0"</span><span>{format!("+{ends}")}</span>
            </div>
        </figure>
    }
    .into_any()
}
