//! On the server: gathers what the pages of experiments show. No rule is decided here.

use domain::{
    experiment::{ExperimentRow, Plan, Status, Verdict},
    field::FieldError,
    id::ExperimentId,
    page::{Listing, PageRequest},
    prompt::{PRODUCTION, PromptName},
    release::MAX_REASON,
};
use store::experiments::{self, Filter};

use super::{
    links::{self, ListQuery},
    pictures,
    plan::{ArmValues, GuardrailValues, PlanValues},
    shapes::{ExperimentView, ExperimentsView, PlanView, Served, TabView, VersionChoice},
    words,
};
use crate::{
    context::Cx,
    costs::{self, Asked, gather::Weighted},
    error::UiError,
    prompts::words::grouped,
};

/// Experiments on a page.
const ROWS: &str = "30";
/// Prompts and versions offered.
const MAX_CHOICES: u16 = 200;
/// Experiments on a prompt's tab.
const TAB: u16 = 50;

pub fn missing(noun: &str) -> UiError {
    UiError::NotFound(noun.to_owned())
}

pub fn refused(field: &str, message: &str) -> UiError {
    UiError::Invalid(vec![FieldError::new(field, message)])
}

pub fn id(text: &str) -> Result<ExperimentId, UiError> {
    text.parse().map_err(|_| missing("experiment"))
}

pub async fn list(cx: &Cx, query: &ListQuery) -> Result<ExperimentsView, UiError> {
    let prompt = PromptName::parse(&query.prompt).ok();
    let filter = Filter {
        prompt: prompt.as_ref(),
        environment: None,
        status: Status::from_word(&query.status),
    };
    let page = PageRequest::parse(Some(ROWS), Some(&query.cursor))
        .map_err(|error| UiError::Refused(error.to_string()))?;
    // What cannot be in an address means nothing is found, not that the page is broken.
    let is_nothing = !query.prompt.is_empty() && prompt.is_none();
    let rows: Listing<ExperimentRow> = if is_nothing {
        Listing::whole(Vec::new())
    } else {
        experiments::rows(&cx.store, &cx.actor, &filter, &page, cx.now).await?
    };
    Ok(ExperimentsView {
        rows: rows.items,
        next_cursor: rows.next_cursor,
        prompts: prompts(cx).await?,
        now: cx.now,
    })
}

async fn prompts(cx: &Cx) -> Result<Vec<String>, UiError> {
    let found = store::prompts::list(
        &cx.store,
        &cx.actor,
        &store::prompts::Filter::default(),
        store::prompts::Order::Name,
        &PageRequest::first(MAX_CHOICES),
    )
    .await?;
    Ok(found
        .items
        .into_iter()
        .map(|prompt| prompt.name.to_string())
        .collect())
}

pub async fn tab(cx: &Cx, name: &str) -> Result<TabView, UiError> {
    let name = PromptName::parse(name).map_err(|_| missing("prompt"))?;
    let filter = Filter {
        prompt: Some(&name),
        ..Filter::default()
    };
    let page = PageRequest::first(TAB);
    let rows = experiments::rows(&cx.store, &cx.actor, &filter, &page, cx.now).await?;
    Ok(TabView {
        rows: rows.items,
        now: cx.now,
    })
}

pub async fn experiment(cx: &Cx, text: &str, asked: Asked) -> Result<ExperimentView, UiError> {
    let detail = experiments::detail(&cx.store, &cx.actor, id(text)?, cx.now).await?;
    let plan = &detail.experiment.plan;
    let prompt = store::prompts::find(&cx.store, &cx.actor, &plan.prompt).await?;
    let serving = prompt.and_then(|prompt| {
        let here = prompt
            .serving
            .into_iter()
            .find(|serving| serving.environment == plan.environment)?;
        Some(Served {
            version: here.version,
            deployment: here.deployment_id.to_string(),
        })
    });
    let is_open = store::environments::list(&cx.store, &cx.actor)
        .await?
        .into_iter()
        .any(|environment| {
            environment.name == plan.environment && environment.policy.asks_for_nothing()
        });
    let is_draft = detail.experiment.status == Status::Draft;
    // What is over splits nothing any more.
    let is_over = !is_draft && detail.experiment.status != Status::Running;
    let warmth = if is_over {
        None
    } else {
        Some(costs::gather::warmth(cx, plan, asked).await?)
    };
    let objection = if is_over {
        None
    } else {
        experiments::objection(&cx.store, &cx.actor, &detail.experiment).await?
    };
    let cache = store::cache_cost::settings(&cx.store, &cx.actor, &plan.prompt).await?;
    Ok(ExperimentView {
        cache_budget: cache.budget_usd_per_day,
        objection: objection.map(|refusal| refusal.to_string()),
        warmth,
        effect: pictures::effect(&detail),
        over_time: pictures::over_time(&detail),
        serving,
        is_open,
        warning: plan
            .power_warning()
            .filter(|_| is_draft)
            .map(|warning| warning.sentence),
        public_url: cx.public_url.to_string(),
        now: cx.now,
        detail,
    })
}

/// What is known of a prompt fills in what was left out.
pub async fn plan(cx: &Cx, mut values: PlanValues, asked: Asked) -> Result<PlanView, UiError> {
    let Ok(name) = PromptName::parse(&values.prompt) else {
        return Ok(PlanView {
            values,
            prompts: prompts(cx).await?,
            versions: Vec::new(),
            serving: Vec::new(),
            counted: None,
            layers: Vec::new(),
            warmth: None,
        });
    };
    let prompt = store::prompts::find(&cx.store, &cx.actor, &name)
        .await?
        .ok_or_else(|| missing("prompt"))?;
    let choices = PageRequest::first(MAX_CHOICES);
    let versions = store::versions::list(&cx.store, &cx.actor, &name, &choices)
        .await?
        .items;
    let serving: Vec<(String, i32)> = prompt
        .serving
        .iter()
        .map(|serving| (serving.environment.clone(), serving.version))
        .collect();
    let counted = counted(cx, &name).await?;
    let numbers: Vec<i32> = versions.iter().map(|version| version.number).collect();
    fill(
        &mut values,
        &serving,
        &numbers,
        counted.as_ref().map(|(a_day, _)| *a_day),
    );
    let weighted: Vec<Weighted> = values
        .arms
        .iter()
        .filter_map(|arm| {
            Some(Weighted {
                name: arm.name.clone(),
                version: arm.version.trim().parse().ok(),
                weight: arm.weight.trim().parse().ok()?,
            })
        })
        .collect();
    let share = values.traffic.trim().parse::<f64>().unwrap_or(100.0) / 100.0;
    let is_known = serving
        .iter()
        .any(|(environment, _)| *environment == values.environment);
    let warmth = if is_known {
        let place = &values.environment;
        Some(costs::gather::split(cx, &name, place, weighted, share, asked).await?)
    } else {
        None
    };
    Ok(PlanView {
        values,
        warmth,
        prompts: Vec::new(),
        versions: versions
            .into_iter()
            .map(|version| {
                let mut words = format!("v{} · {}", version.number, version.status);
                if !version.change_description.is_empty() {
                    words.push_str(" · ");
                    words.extend(version.change_description.chars().take(40));
                }
                VersionChoice {
                    number: version.number,
                    words,
                }
            })
            .collect(),
        serving,
        counted,
        layers: experiments::layers(&cx.store, &cx.actor).await?,
    })
}

/// Units a day as the latest experiment on a prompt counted them, all traffic taken together.
async fn counted(cx: &Cx, name: &PromptName) -> Result<Option<(f64, String)>, UiError> {
    let filter = Filter {
        prompt: Some(name),
        ..Filter::default()
    };
    let rows = experiments::rows(
        &cx.store,
        &cx.actor,
        &filter,
        &PageRequest::first(5),
        cx.now,
    )
    .await?;
    Ok(rows.items.into_iter().find_map(|row| {
        let experiment = row.experiment;
        let end = experiment.stopped_at.unwrap_or(cx.now);
        let days = (end - experiment.started_at?).as_seconds_f64() / 86_400.0;
        #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
        let units = row.progress.observed as f64;
        let a_day = units / days / experiment.plan.traffic;
        // Less than an hour says nothing of a day.
        (days > 0.04 && a_day >= 1.0 && a_day.is_finite()).then_some((a_day, experiment.plan.name))
    }))
}

fn fill(values: &mut PlanValues, serving: &[(String, i32)], versions: &[i32], a_day: Option<f64>) {
    let or = |value: &mut String, usual: &str| {
        if value.trim().is_empty() {
            usual.clone_into(value);
        }
    };
    let is_fresh = values.arms.is_empty();
    let usual = serving
        .iter()
        .find(|(environment, _)| environment == PRODUCTION)
        .or(serving.first());
    or(
        &mut values.environment,
        usual.map_or(PRODUCTION, |(environment, _)| environment),
    );
    or(&mut values.unit, "user");
    or(&mut values.traffic, "100");
    or(&mut values.decision, "fixed");
    or(&mut values.alpha, "0.05");
    or(&mut values.power, "80");
    or(&mut values.minimum_effect, "5");
    if let Some(a_day) = a_day {
        or(&mut values.units_per_day, &format!("{a_day:.0}"));
    }
    if is_fresh {
        or(&mut values.days, "14");
        values.arms = vec![ArmValues::default(); 2];
        values.guardrails = [("latency_ms", "200"), ("error_rate", "0.02"), ("", "")]
            .map(|(metric, margin)| GuardrailValues {
                metric: metric.to_owned(),
                direction: "lower".to_owned(),
                margin: margin.to_owned(),
            })
            .to_vec();
    }
    let control = serving
        .iter()
        .find(|(environment, _)| *environment == values.environment)
        .map(|(_, version)| *version);
    let mut others = versions
        .iter()
        .copied()
        .filter(|version| Some(*version) != control);
    for (index, arm) in values.arms.iter_mut().enumerate() {
        let version = if index == 0 { control } else { others.next() };
        let letter = char::from(b'A' + u8::try_from(index).unwrap_or_default());
        or(&mut arm.name, &letter.to_string());
        or(&mut arm.weight, "1");
        or(
            &mut arm.version,
            &version
                .map(|version| version.to_string())
                .unwrap_or_default(),
        );
    }
}

/// What is frozen into the request that ships an arm: the verdict in words, the counts it rests
/// on, and where to read on.
pub async fn evidence(
    cx: &Cx,
    id: ExperimentId,
    arm: &str,
    reason: &str,
) -> Result<(Plan, i32, String), UiError> {
    let detail = experiments::detail(&cx.store, &cx.actor, id, cx.now).await?;
    let (experiment, results) = (detail.experiment, detail.results);
    let version = experiment
        .plan
        .arms
        .iter()
        .find(|one| one.name == arm)
        .map(|one| one.version)
        .ok_or_else(|| missing("arm"))?;
    let counts: Vec<String> = results
        .arms
        .iter()
        .map(|arm| {
            let rate = arm
                .rate
                .map_or_else(String::new, |rate| format!(", {}", words::share(rate)));
            format!(
                "{} v{}: {} of {}{rate}",
                arm.name,
                arm.version,
                grouped(arm.successes),
                grouped(arm.units)
            )
        })
        .collect();
    let Verdict { sentence, .. } = &results.verdict;
    let address = links::experiment(&cx.project.slug, &id.to_string());
    let own = if reason.is_empty() {
        String::new()
    } else {
        format!("{reason} — ")
    };
    let text = format!(
        "{own}Experiment “{}”: {sentence} {} ({}). {}{address}",
        experiment.plan.name,
        counts.join("; "),
        experiment.plan.primary_metric,
        cx.public_url.trim_end_matches('/'),
    );
    Ok((
        experiment.plan,
        version,
        text.chars().take(MAX_REASON).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_plan_compares_what_serves_with_the_newest() {
        let mut values = PlanValues::default();
        let serving = [("staging".to_owned(), 4), (PRODUCTION.to_owned(), 2)];
        fill(&mut values, &serving, &[4, 3, 2, 1], Some(412.4));
        let arms: Vec<(&str, &str)> = values
            .arms
            .iter()
            .map(|arm| (arm.name.as_str(), arm.version.as_str()))
            .collect();
        assert_eq!(arms, [("A", "2"), ("B", "4")]);
        assert_eq!(values.environment, PRODUCTION);
        assert_eq!(values.units_per_day, "412");
    }

    #[test]
    fn what_was_typed_stays() {
        let mut values = PlanValues {
            environment: "staging".to_owned(),
            traffic: "25".to_owned(),
            arms: vec![
                ArmValues {
                    name: "old".to_owned(),
                    ..ArmValues::default()
                };
                3
            ],
            ..PlanValues::default()
        };
        fill(&mut values, &[("staging".to_owned(), 4)], &[4, 3, 2], None);
        let versions: Vec<&str> = values.arms.iter().map(|arm| arm.version.as_str()).collect();
        assert_eq!(versions, ["4", "3", "2"]);
        assert_eq!(
            (values.traffic.as_str(), values.arms[2].name.as_str()),
            ("25", "old")
        );
        assert!(values.guardrails.is_empty() && values.units_per_day.is_empty());
    }
}
