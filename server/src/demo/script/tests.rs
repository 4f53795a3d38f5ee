use std::collections::HashMap;

use domain::{lint, template};

use super::*;

fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
    day.and_hms_opt(hour, minute, 0).unwrap().and_utc()
}

#[test]
fn every_content_is_one_and_every_history_happened_in_order_whatever_the_hour() {
    for now in [at(0, 5), at(11, 30), at(23, 55)] {
        let steps = steps(now).unwrap();
        let mut latest: HashMap<String, Vec<&Content>> = HashMap::new();
        for step in &steps {
            assert!(step.at <= now, "{step:?}");
            match &step.action {
                Action::Prompt { name, .. } => {
                    assert!(latest.insert(name.to_string(), Vec::new()).is_none());
                }
                Action::Version {
                    prompt, content, ..
                } => {
                    for include in content.includes() {
                        let version = usize::try_from(include.version).unwrap();
                        assert!(
                            latest[&include.name].len() >= version,
                            "{prompt} uses {include} before it exists"
                        );
                    }
                    let versions = latest.get_mut(prompt.as_str()).unwrap();
                    assert!(
                        versions
                            .last()
                            .is_none_or(|last| last.hash() != content.hash()),
                        "{prompt} {} changes nothing",
                        versions.len() + 1
                    );
                    versions.push(content);
                }
                Action::Status {
                    prompt, version, ..
                } => {
                    assert!(latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap());
                }
                Action::Plan(tale) | Action::Start(tale) => {
                    for arm in tale.plan().unwrap().arms {
                        let n_versions = latest[tale.prompt].len();
                        assert!(n_versions >= usize::try_from(arm.version).unwrap());
                    }
                }
                Action::Release { prompt, kind, .. } => {
                    let (Release::Promote(version) | Release::BreakGlass(version)) = kind else {
                        continue;
                    };
                    assert!(
                        latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap(),
                        "{prompt} releases version {version} before it exists"
                    );
                }
                Action::Run {
                    prompt, version, ..
                } => {
                    assert!(
                        latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap(),
                        "{prompt} runs version {version} before it exists"
                    );
                }
                Action::Suite(_)
                | Action::Cases { .. }
                | Action::GateRule { .. }
                | Action::Schedule { .. }
                | Action::Check { .. }
                | Action::Guard { .. } => {}
            }
        }
        assert!(latest.len() >= 14);
        for (prompt, versions) in latest {
            assert!(
                (3..=9).contains(&versions.len()),
                "{prompt}: {}",
                versions.len()
            );
        }
    }
}

#[test]
fn previews_render_and_nothing_dangerous_is_in_the_newest_versions() {
    let mut newest = HashMap::new();
    let mut snippets = template::Snippets::new();
    let mut counts: HashMap<String, u32> = HashMap::new();
    for step in steps(at(12, 0)).unwrap() {
        if let Action::Version {
            prompt, content, ..
        } = step.action
        {
            let number = counts.entry(prompt.to_string()).or_default();
            *number += 1;
            let include = template::Include {
                name: prompt.to_string(),
                version: *number,
            };
            snippets.insert(include, (*content).clone());
            newest.insert(prompt.to_string(), content);
        }
    }
    for (prompt, content) in newest {
        let composed = template::compose("content", &prompt, &content, &snippets).unwrap();
        for variable in composed.declared() {
            assert!(
                variable.example.is_some() || !variable.is_required(),
                "{prompt}: {} has no example",
                variable.name
            );
        }
        for finding in lint::lint(&composed) {
            assert!(
                finding.severity < lint::Severity::Danger,
                "{prompt}: {finding:?}"
            );
        }
    }
}
