//! What the pages of runs ask of the server.

use leptos::{prelude::*, server_fn::codec::PostUrl};

use super::{
    links::{ListQuery, RunQuery},
    shapes::{EvalsView, RunView, RunsView},
};
use crate::error::UiError;

#[cfg(feature = "ssr")]
use super::{gather, links};
#[cfg(feature = "ssr")]
use crate::context;
#[cfg(feature = "ssr")]
use domain::field::FieldError;

/// A page of runs, and the form that launches one where it is open.
#[server(input = PostUrl)]
pub async fn load_runs(project: String, query: ListQuery) -> Result<RunsView, UiError> {
    let cx = context::member(&project).await?;
    gather::list(&cx, &query).await
}

/// A run, what it is held against, and a page of its results.
#[server(input = PostUrl)]
pub async fn load_run(project: String, id: String, query: RunQuery) -> Result<RunView, UiError> {
    let cx = context::member(&project).await?;
    gather::run(&cx, &id, &query).await
}

/// Launches a run and leads to it. Numbers come as they were typed; an empty one was left out.
#[server]
pub async fn launch_eval(
    project: String,
    prompt: String,
    version: i32,
    suite: String,
    #[server(default)] limit: String,
    #[server(default)] tags: String,
    #[server(default)] repeats: String,
    #[server(default)] seed: String,
    #[server(default)] budget_usd: String,
    #[server(default)] judge_provider: String,
    #[server(default)] judge_model: String,
) -> Result<(), UiError> {
    use domain::{field::Fields, run::RunOptions};
    use store::runs::{NewRun, Subject};

    let cx = context::member(&project).await?;
    let prompt = gather::name(&prompt).ok_or_else(|| gather::missing("prompt"))?;
    let suite = suite.parse().map_err(|_| gather::missing("suite"))?;
    let tags: Vec<&str> = tags
        .split([',', ' '])
        .filter(|tag| !tag.is_empty())
        .collect();
    let mut fields = Fields::new(
        "",
        serde_json::json!({
            "tags": tags, "limit": typed(&limit), "repeats": typed(&repeats), "seed": typed(&seed),
            "budget_usd": typed(&budget_usd), "judge": judge(&judge_provider, &judge_model),
        }),
    );
    let options = RunOptions::read(&mut fields);
    let options = fields.finish(|| options).map_err(UiError::Invalid)?;
    let new = NewRun {
        prompt: &prompt,
        subject: Subject::Saved(version),
        suite,
        options,
    };
    let run = store::runs::launch(&cx.store, &cx.actor, &new, cx.now)
        .await
        .map_err(beside_its_control)?;
    leptos_axum::redirect(&links::run(
        &cx.project.slug,
        &run.id.to_string(),
        &RunQuery::default(),
    ));
    Ok(())
}

/// A number as JSON; what is none stays a text, which is then refused as one.
#[cfg(feature = "ssr")]
fn typed(text: &str) -> serde_json::Value {
    let text = text.trim();
    if text.is_empty() {
        return serde_json::Value::Null;
    }
    text.parse::<i64>()
        .map(Into::into)
        .or_else(|_| text.parse::<f64>().map(Into::into))
        .unwrap_or_else(|_| text.into())
}

/// The judge as the API takes it; nobody chosen means the version's own model.
#[cfg(feature = "ssr")]
fn judge(provider: &str, model: &str) -> serde_json::Value {
    let (provider, model) = (provider.trim(), model.trim());
    if provider.is_empty() && model.is_empty() {
        return serde_json::Value::Null;
    }
    serde_json::json!({ "provider": provider, "model": model })
}

/// Refusals of a launch name the control they are about.
#[cfg(feature = "ssr")]
fn beside_its_control(error: store::Error) -> UiError {
    let store::Error::Conflict { code, message } = error else {
        return error.into();
    };
    let field = match code {
        "provider_not_configured" => "provider",
        "no_model" => "version",
        "no_cases" => "tags",
        _ => return UiError::Refused(message),
    };
    UiError::Invalid(vec![FieldError::new(field, message)])
}

/// Stops a run.
#[server]
pub async fn cancel_run(project: String, run: String) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let run = run.parse().map_err(|_| gather::missing("run"))?;
    store::runs::cancel(&cx.store, &cx.actor, run, cx.now).await?;
    Ok(())
}

/// Makes a case of a result: the same call, with what should have come of it. Leads back to where
/// it was reported.
#[server]
pub async fn report_case(
    project: String,
    run: String,
    case: String,
    #[server(default)] note: String,
    #[server(default)] expected: String,
    #[server(default)] against: String,
    #[server(default)] show: String,
    #[server(default)] cursor: String,
) -> Result<(), UiError> {
    use domain::suite::{Case, Origin, scorers_of};
    use serde_json::{Value, json};

    let cx = context::member(&project).await?;
    let id = run.parse().map_err(|_| gather::missing("run"))?;
    let case = case.parse().map_err(|_| gather::missing("case"))?;
    let run = store::runs::find(&cx.store, &cx.actor, id)
        .await?
        .ok_or_else(|| gather::missing("run"))?;
    let answer = store::runs::results::of_cases(&cx.store, &cx.actor, id, &[case])
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| gather::missing("result"))?;
    let mut submitted = answer.case.to_submitted();
    let before = answer.case.expected;
    let expected = match before {
        Some(before) if crate::prompts::words::written(&before) == expected => before,
        _ if expected.trim().is_empty() => Value::Null,
        // What was JSON before is meant to be JSON again.
        Some(before) if !before.is_string() => {
            serde_json::from_str(&expected).unwrap_or(Value::String(expected))
        }
        _ => Value::String(expected),
    };
    submitted["expected"] = expected;
    submitted["note"] = json!(note.trim());
    let case = Case::parse(&submitted, Origin::Report).map_err(UiError::Invalid)?;
    let suite = store::suites::find(&cx.store, &cx.actor, run.suite)
        .await?
        .ok_or_else(|| gather::missing("suite"))?;
    scorers_of(&suite.scorers, &case).map_err(UiError::Invalid)?;
    let changed =
        store::suites::add_cases(&cx.store, &cx.actor, run.suite, &[case], cx.now).await?;
    let query = RunQuery {
        against,
        show: links::Show::from_word(&show),
        cursor,
        reported: Some(changed.revision),
    };
    leptos_axum::redirect(&links::run(&cx.project.slug, &id.to_string(), &query));
    Ok(())
}

/// A prompt's runs and gates.
#[server]
pub async fn load_evals(project: String, name: String) -> Result<EvalsView, UiError> {
    let cx = context::member(&project).await?;
    gather::evals(&cx, &name).await
}

/// Sets the gate of an environment and leads back to the tab. Rates come in percent, as typed.
#[server]
pub async fn set_gate(
    project: String,
    prompt: String,
    environment: String,
    suite: String,
    mode: String,
    #[server(default)] alpha: String,
    #[server(default)] tolerated_drop: String,
    #[server(default)] floor: String,
    #[server(default)] max_age_hours: String,
    #[server(default)] tags: String,
    #[server(default)] must_pass: bool,
) -> Result<(), UiError> {
    use domain::gate::GatePolicy;

    let cx = context::member(&project).await?;
    let name = gather::name(&prompt).ok_or_else(|| gather::missing("prompt"))?;
    let suite = suite.parse().map_err(|_| gather::missing("suite"))?;
    let tags: Vec<&str> = tags
        .split([',', ' '])
        .filter(|tag| !tag.is_empty())
        .collect();
    let policy = serde_json::json!({
        "mode": mode, "alpha": typed(&alpha), "tolerated_drop": share(&tolerated_drop), "floor": share(&floor),
        "max_age_hours": typed(&max_age_hours), "tags": tags, "must_pass": must_pass,
    });
    let policy = GatePolicy::parse("", &policy).map_err(|mut errors| {
        for error in &mut errors {
            // The form asks for percent.
            match error.field.as_str() {
                "floor" => "must be from 0 to 100".clone_into(&mut error.message),
                "tolerated_drop" => {
                    "must be above 0 and at most 100".clone_into(&mut error.message);
                }
                _ => {}
            }
        }
        UiError::Invalid(errors)
    })?;
    store::gates::set_rule(
        &cx.store,
        &cx.actor,
        &name,
        &environment,
        suite,
        &policy,
        cx.now,
    )
    .await?;
    leptos_axum::redirect(&crate::prompts::links::tab(
        &cx.project.slug,
        name.as_str(),
        "evals",
    ));
    Ok(())
}

/// Percent as a proportion; what is no number stays a text.
#[cfg(feature = "ssr")]
fn share(text: &str) -> serde_json::Value {
    match typed(text) {
        serde_json::Value::Number(number) => number.as_f64().map(|percent| percent / 100.0).into(),
        other => other,
    }
}
