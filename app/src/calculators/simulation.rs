//! What peeking does, in this browser: thousands of A/A tests, judged by four rules side by side
//! while they run. A little in every frame, so that the page never waits for it.

use domain::stats::{
    Interval,
    simulate::{Setup, Simulation, Tally},
};
use leptos::prelude::*;
use web_sys::js_sys::Date;

use super::{result::trouble, tool::Tool};
use crate::{
    prompts::words::grouped,
    runs::words::percent,
    ui::{Glyph, Icon, TableWrap},
};

/// How long one frame may compute, in milliseconds: half a frame, so that typing stays smooth.
const BUDGET_MS: f64 = 8.0;
/// The most tests of one frame: a quick machine would be done before anyone saw it.
const MAX_PER_FRAME: u32 = 100;
/// The most work of one test, units times looks: beyond it a single test outlasts a frame.
const MAX_WORK: f64 = 2e9;

/// What the fields of [`Tool::Threshold`] ask to simulate.
pub fn setup(typed: &[String]) -> Option<Setup> {
    let number = |name| Tool::Threshold.number(typed, name);
    Some(Setup {
        n: count(number("n")?),
        baseline: number("baseline")?,
        threshold: number("threshold")?,
        alpha: number("alpha")?,
        looks: u32::try_from(count(number("looks")?)).ok()?,
        tests: u32::try_from(count(number("tests")?)).ok()?,
        seed: count(number("seed")?),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what was typed was found to be a count"
)]
fn count(number: f64) -> u64 {
    number as u64
}

/// Why it cannot be simulated.
fn refusal(setup: Setup) -> Option<&'static str> {
    #[expect(clippy::cast_precision_loss, reason = "compared with a rough limit")]
    let work = setup.n as f64 * f64::from(setup.looks);
    if u64::from(setup.looks) > setup.n {
        Some("There cannot be more looks than units.")
    } else if setup.baseline <= 0.0 || setup.baseline >= 1.0 {
        Some("At a rate of 0 or 100 % nothing varies, so there is nothing to simulate.")
    } else if work > MAX_WORK {
        Some(
            "So many units at so many looks would hold this page up: take fewer, or run cueline stats simulate.",
        )
    } else {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Running,
    Done,
    Cancelled,
}

/// A simulation and what is shown of it.
#[derive(Clone, Copy)]
struct Run {
    simulation: StoredValue<Option<Simulation>>,
    /// Which start this is; frames of an earlier one do nothing.
    turn: StoredValue<u32>,
    state: RwSignal<State>,
    tally: RwSignal<Tally>,
}

impl Run {
    fn new() -> Self {
        Self {
            simulation: StoredValue::new(None),
            turn: StoredValue::new(0),
            state: RwSignal::new(State::Ready),
            tally: RwSignal::new(Tally::default()),
        }
    }

    fn reset(self) {
        self.simulation.set_value(None);
        self.state.set(State::Ready);
        self.tally.set(Tally::default());
    }

    fn start(self, setup: Setup) {
        self.reset();
        let Some(simulation) = Simulation::new(setup) else {
            return;
        };
        self.simulation.set_value(Some(simulation));
        self.turn.update_value(|turn| *turn += 1);
        self.state.set(State::Running);
        self.next_frame(self.turn.get_value());
    }

    fn next_frame(self, turn: u32) {
        request_animation_frame(move || {
            // The page may be gone by then.
            let is_running = self.state.try_get_untracked() == Some(State::Running);
            if !is_running || self.turn.try_get_value() != Some(turn) {
                return;
            }
            let until = Date::now() + BUDGET_MS;
            let counted = self.simulation.try_update_value(|simulation| {
                let simulation = simulation.as_mut()?;
                for _ in 0..MAX_PER_FRAME {
                    simulation.advance(1);
                    if simulation.is_done() || Date::now() >= until {
                        break;
                    }
                }
                Some((simulation.tally(), simulation.is_done()))
            });
            let Some((tally, is_done)) = counted.flatten() else {
                return;
            };
            self.tally.set(tally);
            if is_done {
                self.state.set(State::Done);
            } else {
                self.next_frame(turn);
            }
        });
    }
}

/// The simulation of the numbers in the form.
#[component]
pub fn Simulate(setup: Signal<Option<Setup>>) -> impl IntoView {
    let setup = Memo::new(move |_| setup.get());
    let run = Run::new();
    // Other numbers: what was counted is not about them.
    Effect::new(move |before: Option<()>| {
        setup.track();
        if before.is_some() {
            run.reset();
        }
    });
    let refused = Memo::new(move |_| setup.get().and_then(refusal));
    let is_running = move || run.state.get() == State::Running;
    let start = move |_| {
        if let Some(setup) = setup.get_untracked() {
            run.start(setup);
        }
    };
    let cancel = move |_| run.state.set(State::Cancelled);
    let buttons = move || {
        if is_running() {
            view! { <button type="button" class="btn" on:click=cancel><Icon glyph=Glyph::Close/>"Cancel"</button> }.into_any()
        } else {
            let words = match run.state.get() {
                State::Ready => "Run the simulation",
                _ => "Run again",
            };
            let is_off = setup.get().is_none() || refused.get().is_some();
            view! { <button type="button" class="btn" data-kind="primary" disabled=is_off on:click=start><Icon glyph=Glyph::Runs/>{words}</button> }
                .into_any()
        }
    };
    let tests = move || setup.get().map_or(0, |setup| setup.tests);
    let has_counts = move || run.state.get() != State::Ready;
    view! {
        <section class="simulation" aria-labelledby="simulation-title">
            <header class="section-head">
                <h3 id="simulation-title">"See it happen"</h3>
                <div class="row" data-scripting="needed">{buttons}</div>
            </header>
            <p class="muted">
                {move || format!("{} A/A tests: both arms are the same, so every winner is a false alarm. Four ways to decide, side by side.", grouped(u64::from(tests())))}
            </p>
            <p class="note" data-scripting="none">
                "The figure above is exact and needs no script. The simulation runs in the browser and does: allow scripts to watch it, or run "
                <code>"cueline stats simulate"</code>"."
            </p>
            {move || refused.get().map(trouble)}
            {move || has_counts().then(|| view! { <Progress run tests=Signal::derive(tests)/> })}
            {move || has_counts().then(|| setup.get().map(|setup| view! { <Counts run setup/> }))}
            <p role="status">{move || closing(run.state.get(), run.tally)}</p>
        </section>
    }
}

#[component]
fn Progress(run: Run, tests: Signal<u32>) -> impl IntoView {
    let state = move || match run.state.get() {
        State::Done => "done",
        State::Cancelled => "stopped",
        State::Ready | State::Running => "running",
    };
    let done = move || run.tally.with(|tally| tally.tests);
    view! {
        <div class="simulation-progress">
            <progress
                class="bar-progress" data-state=state max=move || tests.get().to_string()
                value=move || done().to_string() aria-label="A/A tests done"
            ></progress>
            <span class="num">{move || format!("{} of {}", grouped(u64::from(done())), grouped(u64::from(tests.get())))}</span>
        </div>
    }
}

/// One of the counts.
type Of = fn(&Tally) -> u32;

/// The counts so far, a rule a row.
#[component]
fn Counts(run: Run, setup: Setup) -> impl IntoView {
    let looks = match setup.looks {
        1 => "at the one look".to_owned(),
        looks => format!("at any of {} looks", grouped(u64::from(looks))),
    };
    let threshold = format!(
        "Ship at +{:.1} pp, once at the end",
        setup.threshold * 100.0
    );
    let rules: [(String, Of); 4] = [
        (threshold, |tally| tally.threshold),
        (format!("z-test, believed {looks}"), |tally| tally.peeked),
        ("z-test, once at the end".to_owned(), |tally| tally.fixed),
        (format!("Always-valid, {looks}"), |tally| tally.always_valid),
    ];
    let scale = Memo::new(move |_| {
        let tally = run.tally.get();
        let most = rules_most(&tally);
        [0.1, 0.2, 0.5]
            .into_iter()
            .find(|end| most <= *end)
            .unwrap_or(1.0)
    });
    let rows = rules
        .into_iter()
        .map(|(name, of)| {
            let found = move || run.tally.with(|tally| (of(tally), tally.rate(of(tally))));
            let count = move || grouped(u64::from(found().0));
            let rate = move || {
                found()
                    .1
                    .map_or_else(|| "–".to_owned(), |(rate, _)| percent(rate))
            };
            let range = move || {
                found().1.map_or_else(String::new, |(_, interval)| {
                    format!(
                        "{:.1} to {:.1} %",
                        interval.lower * 100.0,
                        interval.upper * 100.0
                    )
                })
            };
            let shape = move || bar(found().1, setup.alpha, scale.get());
            let tone = move || match found().1 {
                Some((_, interval)) if interval.lower > setup.alpha => "bad",
                Some((_, interval)) if interval.upper <= setup.alpha => "good",
                _ => "open",
            };
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td data-align="end">{count}</td>
                    <td data-align="end" data-nowrap=""><b>{rate}</b></td>
                    <td data-align="end" data-nowrap="" class="range">{range}</td>
                    <td class="interval-plot" data-tone=tone aria-hidden="true">
                        <svg viewBox="0 0 100 20" preserveAspectRatio="none" inner_html=shape></svg>
                    </td>
                </tr>
            }
        })
        .collect_view();
    let picture = move || format!("0 to {:.0} %; the line is α", scale.get() * 100.0);
    view! {
        <TableWrap label="False alarms by rule">
            <table class="table simulation-counts">
                <caption class="sr-only">"False alarms by rule"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col" data-align="end">"False alarms"</th>
                        <th scope="col" data-align="end">"Of tests"</th>
                        <th scope="col" data-align="end" class="range">"95 % interval"</th>
                        <th scope="col" class="picture">{picture}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

/// The highest share among the rules.
fn rules_most(tally: &Tally) -> f64 {
    [
        tally.threshold,
        tally.peeked,
        tally.fixed,
        tally.always_valid,
    ]
    .into_iter()
    .filter_map(|count| tally.rate(count))
    .map(|(_, interval)| interval.upper)
    .fold(0.0, f64::max)
}

fn bar(found: Option<(f64, Interval)>, alpha: f64, scale: f64) -> String {
    let at = |share: f64| (share / scale * 100.0).clamp(0.0, 100.0);
    let promised = at(alpha);
    let bar = found.map_or_else(String::new, |(rate, interval)| {
        format!(
            r#"<rect class="plot-bar" x="0" width="{:.2}" y="5" height="10"/><line class="plot-point" x1="{:.2}" x2="{:.2}" y1="10" y2="10"/>"#,
            at(rate),
            at(interval.lower),
            at(interval.upper)
        )
    });
    format!(
        r#"{bar}<line class="plot-zero" x1="{promised:.2}" x2="{promised:.2}" y1="0" y2="20"/>"#
    )
}

/// What it came to, said once at the end.
fn closing(state: State, tally: RwSignal<Tally>) -> String {
    let tally = match state {
        State::Done | State::Cancelled => tally.get(),
        State::Ready | State::Running => return String::new(),
    };
    let share = |count| {
        tally
            .rate(count)
            .map_or_else(|| "–".to_owned(), |(rate, _)| percent(rate))
    };
    let begin = if state == State::Done {
        "Done"
    } else {
        "Cancelled"
    };
    format!(
        "{begin} after {} tests without any difference: the threshold found a winner in {}, peeking at the z-test in {}, \
         the z-test asked once in {}, the always-valid interval in {}.",
        grouped(u64::from(tally.tests)),
        share(tally.threshold),
        share(tally.peeked),
        share(tally.fixed),
        share(tally.always_valid)
    )
}

#[cfg(test)]
mod tests;
