//! One calculator: its fields, and beside them what comes of them while one types.

use domain::{cache::Ttl, cost::Price, field::FieldError};
use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, params::ParamsMap};
use wasm_bindgen::JsValue;

use super::{
    address,
    result::Outcome,
    tool::{Spec, Tool, Unit},
};
use crate::{
    prompts::links::{segment, with_query},
    ui::{Field, Glyph, Icon, described_by},
};

/// What is in the form: each field as typed, and the model whose prices were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Typed {
    fields: Vec<String>,
    model: String,
}

/// A model among those with prices.
fn key(price: &Price) -> String {
    format!("{}/{}", price.provider, price.model)
}

impl Typed {
    fn initial(tool: Tool) -> Self {
        Self {
            fields: tool
                .specs()
                .iter()
                .map(|spec| spec.initial.to_owned())
                .collect(),
            model: String::new(),
        }
    }

    /// As an address says it; what it leaves out is as at first.
    fn read(tool: Tool, params: &ParamsMap, prices: &[Price]) -> Self {
        let mut typed = Self::initial(tool);
        for (field, spec) in typed.fields.iter_mut().zip(tool.specs()) {
            let text = params.get(spec.name);
            // A choice that is none on offer is as at first.
            let is_offered =
                |text: &String| spec.unit != Unit::Ttl || Ttl::from_word(text).is_some();
            if let Some(text) = text.filter(is_offered) {
                *field = text;
            }
        }
        typed.choose(tool, &params.get("model").unwrap_or_default(), prices);
        typed
    }

    /// Takes a model's prices; a model without any changes nothing.
    fn choose(&mut self, tool: Tool, model: &str, prices: &[Price]) {
        let Some(price) = prices.iter().find(|price| key(price) == model) else {
            self.model.clear();
            return;
        };
        model.clone_into(&mut self.model);
        let write = tool.ttl(&self.fields).write_price(price);
        for (field, spec) in self.fields.iter_mut().zip(tool.specs()) {
            match spec.name {
                "write" => *field = write.map_or_else(String::new, |write| write.to_string()),
                "read" => *field = price.read.unwrap_or(price.input).to_string(),
                _ => {}
            }
        }
    }

    fn address(&self, project: &str, tool: Tool) -> String {
        let mut address = format!("/p/{}/calculators?tool={}", segment(project), tool.word());
        // Empty fields are said too: they are not as at first.
        for (spec, text) in tool.specs().iter().zip(&self.fields) {
            let one = with_query(String::new(), &[(spec.name, text)]);
            address.push('&');
            if let Some(pair) = one.strip_prefix('?') {
                address.push_str(pair);
            } else {
                address.push_str(spec.name);
                address.push('=');
            }
        }
        if let Some(model) = with_query(String::new(), &[("model", &self.model)]).strip_prefix('?')
        {
            address.push('&');
            address.push_str(model);
        }
        address
    }
}

/// Lets the address say what is on the page, without arriving anywhere.
fn write_address(address: &str) {
    if let Ok(history) = window().history() {
        let state = history.state().unwrap_or(JsValue::NULL);
        // Refused only to pages that write it a hundred times in a few seconds.
        let _ = history.replace_state_with_url(&state, "", Some(address));
    }
}

/// A tool with its fields as the address says.
#[component]
pub fn Calculator(project: String, tool: Tool, prices: Vec<Price>) -> impl IntoView {
    let params = use_query_map();
    let prices = StoredValue::new(prices);
    let read =
        move |params: &ParamsMap| prices.with_value(|prices| Typed::read(tool, params, prices));
    let typed = RwSignal::new(params.with_untracked(read));
    // Another address of the same tool: somebody went back, or followed a link.
    Effect::new(move |before: Option<()>| {
        let found = params.with(read);
        let is_here = params
            .with(|params| Tool::from_word(params.get_str("tool").unwrap_or_default()) == tool);
        if before.is_some() && is_here {
            typed.set(found);
        }
    });

    let fields = Signal::derive(move || typed.with(|typed| typed.fields.clone()));
    let computed = Memo::new(move |_| tool.compute(&fields.read()));
    let home = StoredValue::new(project.clone());
    let keep = move || {
        home.with_value(|project| write_address(&typed.read_untracked().address(project, tool)));
    };
    let controls = tool
        .specs()
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let keep = Callback::new(move |()| keep());
            if spec.unit == Unit::Ttl {
                // The chosen model's price is another one for another time.
                let choose = Callback::new(move |text: String| {
                    typed.update(|typed| {
                        if let Some(field) = typed.fields.get_mut(index) {
                            *field = text;
                        }
                        let model = typed.model.clone();
                        prices.with_value(|prices| typed.choose(tool, &model, prices));
                    });
                    keep.run(());
                });
                view! { <TimeToLive spec=*spec chosen=Signal::derive(move || typed.with(|typed| tool.ttl(&typed.fields))) choose/> }.into_any()
            } else {
                view! { <Control index spec=*spec typed computed keep/> }.into_any()
            }
        })
        .collect_view();
    let model = (tool == Tool::Cache).then(|| model_choice(tool, typed, prices, keep));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        keep();
    };
    let again = address(&project, tool);
    view! {
        <div class="calculator">
            <form
                method="get" action=format!("/p/{}/calculators", segment(&project)) class="panel" on:submit=submit
                aria-label=tool.title()
            >
                <input type="hidden" name="tool" value=tool.word()/>
                <div class="panel-body form">
                    {model}
                    {controls}
                </div>
                <div class="panel-foot">
                    <button type="submit" class="btn" data-kind="primary" data-scripting="none">"Calculate"</button>
                    <a class="btn" href=again on:click=move |_| typed.set(Typed::initial(tool))><Icon glyph=Glyph::RollBack/>"Start over"</a>
                    <span class="note" data-scripting="needed">"Computed as you type; the address keeps the numbers."</span>
                </div>
            </form>
            <Outcome tool fields computed/>
        </div>
    }
}

/// One field.
#[component]
fn Control(
    index: usize,
    spec: Spec,
    typed: RwSignal<Typed>,
    computed: Memo<Result<serde_json::Value, Vec<FieldError>>>,
    keep: Callback<()>,
) -> impl IntoView {
    let text = move || typed.with(|typed| typed.fields.get(index).cloned().unwrap_or_default());
    let error = Signal::derive(move || {
        computed.with(|computed| {
            let errors = computed.as_ref().err()?;
            let error = errors.iter().find(|error| error.field == spec.name)?;
            Some(crate::ui::error::sentence(&error.message))
        })
    });
    let input = move |event: leptos::ev::Event| {
        let text = event_target_value(&event);
        typed.update(|typed| {
            if let Some(field) = typed.fields.get_mut(index) {
                *field = text;
            }
            // A price that was typed is no model's any more.
            if matches!(spec.name, "write" | "read") {
                typed.model.clear();
            }
        });
    };
    view! {
        <Field id=spec.name label=spec.label hint=spec.hint error is_optional=spec.is_optional>
            <input
                class="input" id=spec.name name=spec.name inputmode="decimal" autocomplete="off" data-align="end"
                value=untrack(text) prop:value=text on:input=input on:change=move |_| keep.run(())
                aria-describedby=described_by(spec.name)
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            />
        </Field>
    }
}

/// For how long a prefix stays warm.
#[component]
fn TimeToLive(spec: Spec, chosen: Signal<Ttl>, choose: Callback<String>) -> impl IntoView {
    let options = Ttl::ALL
        .map(|ttl| {
            let is_chosen = untrack(|| chosen.get()) == ttl;
            view! { <option value=ttl.word() selected=is_chosen>{ttl.words()}</option> }
        })
        .collect_view();
    view! {
        <Field id=spec.name label=spec.label hint=spec.hint>
            <select
                class="input" id=spec.name name=spec.name aria-describedby=described_by(spec.name)
                prop:value=move || chosen.get().word()
                on:change=move |event| choose.run(event_target_value(&event))
            >
                {options}
            </select>
        </Field>
    }
}

/// Whose prices to take.
fn model_choice(
    tool: Tool,
    typed: RwSignal<Typed>,
    prices: StoredValue<Vec<Price>>,
    keep: impl Fn() + Copy + Send + Sync + 'static,
) -> AnyView {
    let options = prices.with_value(|prices| {
        prices
            .iter()
            .map(|price| {
                let (value, words) = (key(price), format!("{} ({})", price.model, price.provider));
                let is_chosen = typed.read_untracked().model == value;
                view! { <option value=value selected=is_chosen>{words}</option> }
            })
            .collect_view()
    });
    if prices.with_value(Vec::is_empty) {
        return view! { <p class="note">"This server’s price table has no model yet, so prices are as typed."</p> }
            .into_any();
    }
    let change = move |event: leptos::ev::Event| {
        let model = event_target_value(&event);
        typed.update(|typed| prices.with_value(|prices| typed.choose(tool, &model, prices)));
        keep();
    };
    view! {
        <Field id="model" label="Prices of" hint="A model’s prices take the place of those typed below.">
            <select
                class="input" id="model" name="model" aria-describedby=described_by("model") on:change=change
                prop:value=move || typed.with(|typed| typed.model.clone())
            >
                <option value="">"As typed below"</option>
                {options}
            </select>
        </Field>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_keeps_every_field() {
        let mut typed = Typed::initial(Tool::Size);
        typed.fields[4] = "9:1".to_owned();
        assert_eq!(
            typed.address("acme", Tool::Size),
            "/p/acme/calculators?tool=sample-size&baseline=80&effect=5&alpha=5&power=80&weights=9%3A1&per_day="
        );
        let params: ParamsMap = [("weights", "9:1"), ("per_day", "")].into_iter().collect();
        assert_eq!(Typed::read(Tool::Size, &params, &[]), typed);
        for (asked, read) in [("1h", "1h"), ("1d", "5m")] {
            let params: ParamsMap = [("ttl", asked)].into_iter().collect();
            assert_eq!(Typed::read(Tool::Cache, &params, &[]).fields[4], read);
        }
    }

    #[test]
    fn a_models_prices_are_taken_as_they_stand() {
        let mut price = Price {
            provider: "anthropic".to_owned(),
            model: "sonnet".to_owned(),
            input: 3.0,
            write_5m: Some(3.75),
            write_1h: None,
            read: Some(0.3),
            output: 15.0,
            min_cacheable_tokens: Some(1_024),
            valid_from: chrono::DateTime::default(),
        };
        let mut typed = Typed::initial(Tool::Cache);
        typed.choose(Tool::Cache, "anthropic/sonnet", &[price.clone()]);
        assert_eq!(typed.fields[4..], ["5m", "3.75", "0.3"]);
        // For an hour it has another price, or none.
        typed.fields[4] = "1h".to_owned();
        typed.choose(Tool::Cache, "anthropic/sonnet", &[price.clone()]);
        assert_eq!(typed.fields[4..], ["1h", "", "0.3"]);
        price.write_1h = Some(6.0);
        typed.choose(Tool::Cache, "anthropic/sonnet", &[price]);
        assert_eq!(typed.fields[4..], ["1h", "6", "0.3"]);
        typed.choose(Tool::Cache, "nobody/nothing", &[]);
        assert_eq!(typed.model, "");
    }
}
