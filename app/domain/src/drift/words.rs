//! Findings in words, each with what to do next.

use super::{Ewma, LEAST_CASES, Numbers, State, Why};
use crate::gate::{cases, percent, points, sentence::p_value};

pub(super) fn sentence(state: State, found: &Numbers, chart: &Ewma) -> String {
    let n = found.n_cases;
    let now = format!(
        "{} of {n} {} pass, {} at promotion ({} lost, {} gained",
        percent(found.pass_rate),
        cases(n),
        percent(found.frozen_rate),
        found.lost,
        found.gained
    );
    let mut text = match state {
        State::Drifted => format!(
            "Worse than at promotion: {now}; one-sided p = {}, alarm at {:.3}). Look at the lost cases, then roll back or fix and promote.",
            p_value(found.p_value),
            found.level
        ),
        State::Watch if chart.is_low() => format!(
            "Slipping: {now}). The running average of {} is {} and has left the limit of {}: this check alone proves nothing, the row of them points down.",
            checks(chart.n_th),
            percent(chart.value()),
            percent(chart.lower())
        ),
        State::Watch => format!(
            "Perhaps worse: {now}; one-sided p = {}, alarm at {:.3}). It may be chance: run it again, or wait for the next check.",
            p_value(found.p_value),
            found.level
        ),
        State::Healthy | State::CannotTell => format!("As good as at promotion: {now})."),
    };
    if let (State::Healthy, Some(drop)) = (state, found.smallest_drop) {
        text.push_str(&format!(
            " A drop of {} or more would have been found four times out of five.",
            points(drop)
        ));
    }
    let n_others = found.n_frozen.saturating_sub(n + found.n_errors);
    if n_others > 0 || found.n_run > n + found.n_errors {
        text.push_str(" Only cases that both runs have in the same words were compared.");
    }
    if found.n_errors > 0 {
        text.push_str(&format!(
            " {} without an answer {} left out.",
            if found.n_errors == 1 {
                "One case".to_owned()
            } else {
                format!("{} cases", found.n_errors)
            },
            if found.n_errors == 1 { "was" } else { "were" }
        ));
    }
    text
}

fn checks(n: u32) -> String {
    if n == 1 {
        "one check".to_owned()
    } else {
        format!("{n} checks")
    }
}

pub(super) fn cannot_tell(why: &Why) -> String {
    match why {
        Why::NotChecked => {
            "Not checked since it was promoted: the next check is on its schedule, or run it now."
                .to_owned()
        }
        Why::NoSuite => {
            "There is no suite to run: make one with cases whose right answer is known, then run it now."
                .to_owned()
        }
        Why::NotRunnable { words } => format!("The suite could not be run: {words}."),
        Why::NoFrozenRun => {
            "There was no complete run of this version from before its promotion to compare with. This run stands in for it from now on: the next check compares with it."
                .to_owned()
        }
        Why::NotEnded { words } => {
            format!("The run did not come to its end: {words}. Run it again once that is mended.")
        }
        Why::ScorersChanged => {
            "The suite's scorers are not those of the run at promotion, so passing means something else now. Promote the version again with a gate run on the suite as it is."
                .to_owned()
        }
        Why::FewCommonCases { common, frozen } => format!(
            "Only {common} of the {frozen} cases of the run at promotion are still in the suite in the same words; half of them and at least {LEAST_CASES} are needed. Gate the version on the suite as it is now and promote it again, or add cases."
        ),
        Why::ManyErrors { errors, of } => format!(
            "{errors} of {of} cases have no answer, in this run or in the one at promotion: what is left is no fair sample. Look at the errors, then run it again."
        ),
    }
}
