//! How a verdict is written: for people, for programs, for the page that a continuous integration
//! shows its tests on, for a comment below a pull request.

use anyhow::Context;
use clap::ValueEnum;
use domain::gate::{GateVerdict, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A few lines for people.
    Text,
    /// What the server said.
    Json,
    /// `JUnit` XML: one test for each case.
    Junit,
    /// For a comment.
    Markdown,
}

/// A verdict as the server answered it.
pub struct Found {
    /// What the gate says.
    pub verdict: Verdict,
    details: GateVerdict,
    sentence: String,
    prompt: String,
    url: String,
    versions: String,
}

impl Found {
    /// Reads the server's answer.
    pub fn read(found: &Value) -> anyhow::Result<Self> {
        let details: GateVerdict =
            serde_json::from_value(found.clone()).context("the verdict cannot be read")?;
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        let candidate = match found["version"].as_i64() {
            Some(version) => format!("v{version}"),
            None => "the candidate".to_owned(),
        };
        let versions = match found["baseline_version"].as_i64() {
            Some(baseline) => format!("{candidate} against v{baseline}"),
            None => candidate,
        };
        Ok(Self {
            verdict: details.verdict,
            details,
            sentence: text("sentence"),
            prompt: text("prompt"),
            url: text("run_url"),
            versions,
        })
    }

    /// Writes it.
    pub fn write(
        &self,
        format: Format,
        found: &Value,
        results: &[Value],
    ) -> anyhow::Result<String> {
        Ok(match format {
            Format::Text => self.text(),
            Format::Json => serde_json::to_string_pretty(found)? + "\n",
            Format::Junit => self.junit(results)?,
            Format::Markdown => self.markdown(),
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: {} ({})\n{}\n",
            self.verdict.word().to_uppercase(),
            self.prompt,
            self.versions,
            self.sentence
        );
        for reason in &self.details.reasons {
            text.push_str(&format!("  - {reason}\n"));
        }
        text.push_str(&format!("{}\n", self.url));
        text
    }

    fn markdown(&self) -> String {
        let mark = match self.verdict {
            Verdict::Pass => "✅",
            Verdict::Fail => "❌",
            Verdict::Inconclusive => "⚠️",
        };
        let percent = |share: Option<f64>| {
            share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
        };
        let drop = self
            .details
            .smallest_detectable_drop
            .map_or_else(|| "–".to_owned(), |drop| format!("{:.1} pp", drop * 100.0));
        let mut text = format!(
            "### {mark} `{}`: {} ({})\n\n{}\n\n\
             | cases | pass rate | baseline | lost | gained | smallest detectable drop |\n\
             |---:|---:|---:|---:|---:|---:|\n\
             | {} | {} | {} | {} | {} | {drop} |\n\n",
            self.prompt,
            self.verdict.word(),
            self.versions,
            self.sentence,
            self.details.n_cases,
            percent(self.details.pass_rate),
            percent(self.details.baseline_pass_rate),
            self.details.lost,
            self.details.gained,
        );
        for reason in &self.details.reasons {
            text.push_str(&format!("- {reason}\n"));
        }
        text.push_str(&format!("\n[All results]({})\n", self.url));
        text
    }

    fn junit(&self, results: &[Value]) -> anyhow::Result<String> {
        let mut verdict = TestCase::new("gate", self.status());
        verdict.set_classname(self.prompt.as_str());
        let mut suite = TestSuite::new(format!("cueline gate {}", self.prompt));
        suite.add_test_case(verdict);
        for result in results {
            let mut case =
                TestCase::new(format!("case {}", result["position"]), case_status(result));
            case.set_classname(self.prompt.as_str());
            if let Some(milliseconds) = result["latency_ms"].as_f64().filter(|ms| *ms >= 0.0) {
                case.set_time(std::time::Duration::from_secs_f64(milliseconds / 1_000.0));
            }
            suite.add_test_case(case);
        }
        let mut report = Report::new("cueline");
        report.add_test_suite(suite);
        Ok(report.to_string()? + "\n")
    }

    fn status(&self) -> TestCaseStatus {
        match self.verdict {
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Fail | Verdict::Inconclusive => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(self.sentence.as_str());
                status.set_description(self.details.reasons.join("\n"));
                status
            }
        }
    }
}

/// A case that fails is no failure of the gate by itself: the baseline may fail it too. Those who
/// look at the report see it as skipped, with why.
fn case_status(result: &Value) -> TestCaseStatus {
    if result["passed"] == true {
        return TestCaseStatus::success();
    }
    let reasons: Vec<&str> = result["scores"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|score| score["passed"] == false)
        .filter_map(|score| score["reason"].as_str())
        .collect();
    let mut status = TestCaseStatus::skipped();
    let why = result["error"]
        .as_str()
        .map_or_else(|| reasons.join("; "), str::to_owned);
    status.set_message(why);
    status
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(verdict: &str) -> Value {
        json!({
            "verdict": verdict, "reasons": ["the pass rate is below the baseline's"], "n_cases": 50,
            "pass_rate": 0.7, "baseline_pass_rate": 0.9, "interval": [0.56, 0.81], "difference": -0.2,
            "difference_interval": [-0.3, -0.1], "p_value": 0.001, "lost": 11, "gained": 1,
            "must_pass_failed": 0, "flaky_lost": 0, "smallest_detectable_drop": 0.14,
            "sentence": "Worse by 20 points.", "prompt": "a", "version": null, "baseline_version": 4,
            "run_url": "https://x/runs/1",
        })
    }

    #[test]
    fn a_verdict_reads_well_everywhere() {
        let answer = found("fail");
        let report = Found::read(&answer).unwrap();
        let text = report.write(Format::Text, &answer, &[]).unwrap();
        assert!(
            text.starts_with("FAIL: a (the candidate against v4)\nWorse by 20 points.\n"),
            "{text}"
        );
        let markdown = report.write(Format::Markdown, &answer, &[]).unwrap();
        assert!(
            markdown.contains("| 50 | 70.0 % | 90.0 % | 11 | 1 | 14.0 pp |"),
            "{markdown}"
        );
        let results = [
            json!({ "position": 1, "passed": true, "latency_ms": 12.0 }),
            json!({ "position": 2, "passed": false, "scores": [{ "passed": false, "reason": "not <it>" }] }),
        ];
        let junit = report.write(Format::Junit, &answer, &results).unwrap();
        assert!(
            junit.contains("tests=\"3\"") && junit.contains("failures=\"1\""),
            "{junit}"
        );
        assert!(junit.contains("not &lt;it&gt;"), "{junit}");
    }
}
