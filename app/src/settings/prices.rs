//! Prices: what tokens cost, from when on. Rows are added and never changed.

use chrono::{DateTime, Utc};
use domain::{actor::Permission, cost::KnownPrice};
use leptos::prelude::*;

use super::{
    AdminsOnly, Settings,
    calls::{AddPrice, Prices, load_prices},
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::parts::{FormRefusal, field_error, refusal, remember_refusal, say_when_done},
    ui::{
        Badge, Field, Loaded, Nobody, TableSkeleton, TableWrap, TextField, Tone, clear_after,
        described_by,
    },
};

const FIELDS: &[(&str, &str)] = &[
    ("provider", "Provider"),
    ("model", "Model"),
    ("input", "Input"),
    ("output", "Output"),
    ("write_5m", "Cache write, 5 minutes"),
    ("write_1h", "Cache write, 1 hour"),
    ("read", "Cache read"),
    ("min_cacheable_tokens", "Shortest cached prefix"),
    ("valid_from", "Valid from"),
];

/// `/p/<project>/settings/prices`
#[component]
pub fn PricesPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let add = ServerAction::<AddPrice>::new();
    let heard = use_feed().heard(&["price"]);
    let prices = Resource::new(
        move || (project.get(), heard.get(), add.version().get()),
        |(project, _, _)| load_prices(project),
    );
    say_when_done(add, "Price added");
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Prices">
            <p class="lede">"What tokens cost, in US dollars per million. A row holds from its moment until the next one of its model; this project's own rows go before the published ones."</p>
            <Loaded
                from=prices
                skeleton=|| view! { <TableSkeleton columns=&["Model", "Input", "Cache write", "Cache read", "Output", "Valid from", "Source"] label="Loading prices"/> }
                let:found
            >
                <PriceTable found/>
            </Loaded>
            {if may {
                view! { <NewPrice add/> }.into_any()
            } else {
                view! { <AdminsOnly/> }.into_any()
            }}
        </Settings>
    }
}

#[component]
fn PriceTable(found: Prices) -> impl IntoView {
    let now = found.now;
    let mut before: Option<(String, String)> = None;
    let mut holding = false;
    let rows = found
        .prices
        .iter()
        .map(|known| {
            let name = (known.price.provider.clone(), known.price.model.clone());
            if before.as_ref() != Some(&name) {
                holding = false;
                before = Some(name);
            }
            // Newest first: the first that is not later is the one that holds.
            let overridden = !known.is_own && is_overridden(&found.prices, known);
            let state = if overridden {
                State::Overridden
            } else if known.price.valid_from > now {
                State::ToCome
            } else if holding {
                State::Past
            } else {
                holding = true;
                State::Holds
            };
            row(known, state)
        })
        .collect_view();
    view! {
        <TableWrap label="Prices">
            <table class="table">
                <caption class="sr-only">"Prices in US dollars per million tokens"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col" data-align="end">"Input"</th>
                        <th scope="col" data-align="end">"Write 5 min"</th>
                        <th scope="col" data-align="end">"Write 1 h"</th>
                        <th scope="col" data-align="end">"Read"</th>
                        <th scope="col" data-align="end">"Output"</th>
                        <th scope="col" data-align="end">"Caches from, tokens"</th>
                        <th scope="col">"Valid from"</th>
                        <th scope="col">"Source"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

/// Whether a row of the project's own holds from the same moment or before.
fn is_overridden(prices: &[KnownPrice], published: &KnownPrice) -> bool {
    prices.iter().any(|own| {
        own.is_own
            && own.price.provider == published.price.provider
            && own.price.model == published.price.model
            && own.price.valid_from <= published.price.valid_from
    })
}

#[derive(Clone, Copy)]
enum State {
    Holds,
    ToCome,
    Past,
    Overridden,
}

fn row(known: &KnownPrice, state: State) -> impl IntoView + use<> {
    let price = known.price.clone();
    let some = |amount: Option<f64>| match amount {
        Some(amount) => dollars(amount).into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let least = match price.min_cacheable_tokens {
        Some(least) => least.to_string().into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let badge = match state {
        State::Holds => view! { <Badge tone=Tone::Good>"holds"</Badge> }.into_any(),
        State::ToCome => view! { <Badge tone=Tone::Info>"to come"</Badge> }.into_any(),
        State::Past => view! { <Badge>"past"</Badge> }.into_any(),
        State::Overridden => view! { <Badge>"overridden"</Badge> }.into_any(),
    };
    let own = known
        .is_own
        .then(|| view! { " "<Badge tone=Tone::Info>"own"</Badge> });
    view! {
        <tr>
            <th scope="row">{price.model}" "<span class="note">{price.provider}</span>{own}</th>
            <td data-align="end">{dollars(price.input)}</td>
            <td data-align="end">{some(price.write_5m)}</td>
            <td data-align="end">{some(price.write_1h)}</td>
            <td data-align="end">{some(price.read)}</td>
            <td data-align="end">{dollars(price.output)}</td>
            <td data-align="end">{least}</td>
            <td>{day(price.valid_from)}" "{badge}</td>
            <td class="note">{known.source.clone()}</td>
        </tr>
    }
}

fn day(at: DateTime<Utc>) -> String {
    let is_midnight = at.time() == chrono::NaiveTime::MIN;
    let format = if is_midnight {
        "%Y-%m-%d"
    } else {
        "%Y-%m-%d %H:%M UTC"
    };
    at.format(format).to_string()
}

/// With two digits, or as many as it has.
fn dollars(amount: f64) -> String {
    let text = amount.to_string();
    match text.split_once('.') {
        Some((_, digits)) if digits.len() > 2 => format!("${text}"),
        _ => format!("${amount:.2}"),
    }
}

#[component]
fn NewPrice(add: ServerAction<AddPrice>) -> impl IntoView {
    let project = use_project();
    let error = refusal(add);
    let form = NodeRef::new();
    clear_after(form, move || matches!(add.value().get(), Some(Ok(()))));
    let amount = move |id: &'static str,
                       label: &'static str,
                       hint: &'static str,
                       is_optional: bool| {
        let refused = field_error(error, id);
        view! {
            <Field id label hint error=refused is_optional>
                <input class="input" id=id name=id type="number" min="0" step="any" required=!is_optional
                    aria-describedby=described_by(id)
                    aria-invalid=move || refused.try_with(Option::is_some).unwrap_or_default().then_some("true")/>
            </Field>
        }
    };
    view! {
        <ActionForm action=add node_ref=form attr:class="panel">
            <input type="hidden" name="project" value=project/>
            <div class="panel-head"><h2>"Add a price"</h2></div>
            <div class="panel-body form">
                <FormRefusal error fields=FIELDS/>
                <div class="form-pair">
                    <TextField id="provider" name="provider" label="Provider" error=field_error(error, "provider")
                        hint="As versions name it, or its kind." placeholder="anthropic" autocomplete="off"/>
                    <TextField id="model" name="model" label="Model" error=field_error(error, "model")
                        hint="As the provider calls it." placeholder="claude-sonnet-4-6" autocomplete="off"/>
                </div>
                <div class="form-pair">
                    {amount("input", "Input", "US dollars per million tokens.", false)}
                    {amount("output", "Output", "US dollars per million tokens.", false)}
                </div>
                <div class="form-pair">
                    {amount("write_5m", "Cache write, 5 minutes", "Empty: as input.", true)}
                    {amount("write_1h", "Cache write, 1 hour", "Empty: not offered.", true)}
                </div>
                <div class="form-pair">
                    {amount("read", "Cache read", "Empty: as input.", true)}
                    {amount("min_cacheable_tokens", "Shortest cached prefix", "In tokens. Empty: caches nothing.", true)}
                </div>
                <TextField id="valid_from" name="valid_from" label="Valid from" kind="date" error=field_error(error, "valid_from")
                    hint="From the beginning of this day in UTC. The first row of a model may begin in the past; later ones only after it."/>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || add.pending().get().then_some("true")>"Add price"</button>
                <span class="note">"A row stays as it is: a new price is a new row."</span>
            </div>
        </ActionForm>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_the_digits_they_have() {
        assert_eq!(dollars(3.0), "$3.00");
        assert_eq!(dollars(0.3), "$0.30");
        assert_eq!(dollars(0.125), "$0.125");
    }
}
