//! A prompt's cache budget on its Settings tab, and what is assumed of its traffic.

use domain::{actor::Permission, cache::budget::CacheSettings};
use leptos::prelude::*;

use super::{
    calls::SetCacheSettings,
    parts::{FormRefusal, field_error, refusal},
    shapes::Place,
};
use crate::{
    error::UiError,
    frame::use_membership,
    ui::{Field, described_by},
};

const FIELDS: &[(&str, &str)] = &[
    ("budget_usd_per_day", "Budget"),
    ("requests_per_hour", "Requests an hour"),
    ("distinct_keys", "Distinct prefixes"),
];

/// The budget as it is being changed.
#[derive(Clone, Copy)]
pub struct Budgeting {
    action: ServerAction<SetCacheSettings>,
    error: Signal<Option<UiError>>,
    errors: [Signal<Option<String>>; 3],
}

impl Budgeting {
    /// Made at the page's top.
    pub fn new() -> Self {
        let action = ServerAction::<SetCacheSettings>::new();
        let error = refusal(action);
        Self {
            action,
            error,
            errors: FIELDS
                .iter()
                .map(|(name, _)| field_error(error, name))
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_else(|_| [Signal::derive(|| None); 3]),
        }
    }

    /// Rises when something was set.
    pub fn version(self) -> usize {
        self.action.version().get()
    }
}

/// The form.
#[component]
pub fn CacheBudget(place: Place, set: CacheSettings, budget: Budgeting) -> impl IntoView {
    let may = use_membership().may(Permission::Administer);
    let Budgeting {
        action,
        error,
        errors: [budget_error, requests_error, keys_error],
    } = budget;
    let is_saved = move || action.value().with(|value| matches!(value, Some(Ok(()))));
    let foot = if may {
        let is_busy = move || action.pending().get().then_some("true");
        view! {
            <div class="panel-foot">
                <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Save budget"</button>
                <span class="note" role="status">{move || is_saved().then_some("Saved")}</span>
            </div>
        }
        .into_any()
    } else {
        view! { <div class="panel-foot"><span class="note">"Admins can change this."</span></div> }
            .into_any()
    };
    let number = move |id: &'static str,
                       name: &'static str,
                       least: &'static str,
                       value: Option<f64>,
                       error: Signal<Option<String>>| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        view! {
            <input class="input" id=id name=name type="number" min=least step="any" value=value readonly=!may
                aria-describedby=described_by(id)
                aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")/>
        }
    };
    view! {
        <ActionForm action attr:class="panel">
            <div class="panel-head"><h2>"Cache budget"</h2></div>
            <div class="panel-body form">
                <p class="note">"A promotion that is expected to cost more in cache misses than is left of the day's budget needs an explicit yes. Rollbacks never wait for it."</p>
                <FormRefusal error fields=FIELDS/>
                <input type="hidden" name="project" value=place.project/>
                <input type="hidden" name="name" value=place.name/>
                <Field id="budget_usd_per_day" label="Budget" is_optional=true hint="US dollars in 24 hours. Empty: no limit." error=budget_error>
                    {number("budget_usd_per_day", "budget_usd_per_day", "0", set.budget_usd_per_day, budget_error)}
                </Field>
                <Field id="requests_per_hour" label="Requests an hour" is_optional=true hint="Used while applications report none." error=requests_error>
                    {number("requests_per_hour", "requests_per_hour", "0", set.requests_per_hour, requests_error)}
                </Field>
                <Field id="distinct_keys" label="Distinct prefixes" is_optional=true hint="1 for a system prompt that all share; else tenants or conversations." error=keys_error>
                    {number("distinct_keys", "distinct_keys", "1", set.distinct_keys, keys_error)}
                </Field>
            </div>
            {foot}
        </ActionForm>
    }
}
