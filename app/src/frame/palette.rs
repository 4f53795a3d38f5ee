//! The command palette: prompts, actions and pages by typing. Without script it is a search form
//! that opens the list of prompts.

use domain::actor::Permission;
use leptos::{ev, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;

use super::{Membership, use_membership};
use crate::{
    error::UiError,
    ui::{Glyph, Icon, close_dialog, open_dialog},
};

const ID: &str = "palette";
/// Prompts shown at most: who sees more than this types on.
#[cfg(feature = "ssr")]
const MAX_PROMPTS: u16 = 8;

/// A prompt, as the palette shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    name: String,
    /// The version that serves production, or else the latest.
    version: Option<i32>,
    /// What a rollback of production goes back to.
    previous: Option<i32>,
}

#[cfg(feature = "ssr")]
impl Found {
    fn of(prompt: domain::prompt::Prompt) -> Self {
        let previous = prompt
            .serving
            .iter()
            .find(|serving| serving.environment == domain::prompt::PRODUCTION)
            .and_then(|serving| serving.previous);
        Self {
            name: prompt.name.to_string(),
            version: prompt.active_version.or(prompt.latest_version),
            previous,
        }
    }
}

/// Prompts whose name or description holds the words; the last changed when there are none.
#[server]
pub async fn find_prompts(project: String, words: String) -> Result<Vec<Found>, UiError> {
    use store::prompts::{Filter, Order, list};
    let cx = crate::context::member(&project).await?;
    let filter = Filter {
        search: Some(words.trim().to_owned()).filter(|words| !words.is_empty()),
        ..Filter::default()
    };
    let page = domain::page::PageRequest::first(MAX_PROMPTS);
    let found = list(&cx.store, &cx.actor, &filter, Order::Changed, &page).await?;
    Ok(found.items.into_iter().map(Found::of).collect())
}

/// One line of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    group: &'static str,
    glyph: Glyph,
    label: String,
    hint: String,
    href: String,
}

/// What fits the words, in the order shown.
fn items(membership: &Membership, words: &str, found: &[Found]) -> Vec<Item> {
    let mut items: Vec<Item> = found
        .iter()
        .map(|prompt| Item {
            group: "Prompts",
            glyph: Glyph::Prompts,
            label: prompt.name.clone(),
            hint: prompt
                .version
                .map_or_else(String::new, |version| format!("v{version}")),
            href: membership.href(&format!("/prompts/{}", prompt.name)),
        })
        .collect();
    if membership.may(Permission::RollBack) && !words.is_empty() {
        items.extend(found.iter().filter_map(|prompt| {
            let (from, to) = (prompt.version?, prompt.previous?);
            Some(Item {
                group: "Actions",
                glyph: Glyph::RollBack,
                label: format!("Roll back {}", prompt.name),
                hint: format!("v{from} → v{to}"),
                href: membership.href(&format!(
                    "/roll-back/{}?environment={}",
                    prompt.name,
                    domain::prompt::PRODUCTION
                )),
            })
        }));
    }
    let wanted = words.to_lowercase();
    let mut page = |group, glyph, label: &str, rest: &str| {
        if wanted
            .split_whitespace()
            .all(|word| label.to_lowercase().contains(word))
        {
            items.push(Item {
                group,
                glyph,
                label: label.to_owned(),
                hint: String::new(),
                href: membership.href(rest),
            });
        }
    };
    if membership.may(Permission::WriteDrafts) {
        page("Actions", Glyph::Plus, "New prompt", "/new-prompt");
    }
    page("Go to", Glyph::Overview, "Overview", "");
    page("Go to", Glyph::Prompts, "Prompts", "/prompts");
    page("Go to", Glyph::Layers, "Suites", "/suites");
    page("Go to", Glyph::Runs, "Runs", "/runs");
    page("Go to", Glyph::Experiments, "Experiments", "/experiments");
    page("Go to", Glyph::Bell, "Alerts", "/alerts");
    page("Go to", Glyph::Shield, "Approvals", "/approvals");
    page("Go to", Glyph::Drift, "Drift", "/drift");
    page("Go to", Glyph::Audit, "Audit", "/audit");
    page("Go to", Glyph::Users, "Members", "/settings");
    page("Go to", Glyph::Key, "API keys", "/settings/keys");
    page("Go to", Glyph::Layers, "Providers", "/settings/providers");
    page("Go to", Glyph::Calculator, "Prices", "/settings/prices");
    page(
        "Go to",
        Glyph::Layers,
        "Environments",
        "/settings/environments",
    );
    page(
        "Go to",
        Glyph::Calculator,
        "Calculators: sample size, z-test, threshold risk, cache cost",
        "/calculators",
    );
    page(
        "Go to",
        Glyph::Advisor,
        "Advisor: do I need this?",
        "/advisor",
    );
    page("Go to", Glyph::User, "Profile", "/settings/profile");
    items
}

/// The palette, and the keys that open it.
#[component]
pub fn Palette() -> impl IntoView {
    let membership = use_membership();
    let slug = membership.project.slug.clone();
    let action = membership.href("/prompts");

    let words = RwSignal::new(String::new());
    let selected = RwSignal::new(0_u32);
    let find = Action::new(move |words: &String| find_prompts(slug.clone(), words.clone()));
    let found = Memo::new(move |_| find.value().get().and_then(Result::ok).unwrap_or_default());
    let shown = Memo::new(move |_| items(&membership, &words.read(), &found.read()));
    let n_shown = move || u32::try_from(shown.read().len()).unwrap_or(u32::MAX);

    // Each opening starts afresh, with what changed last.
    let open = move || {
        words.set(String::new());
        selected.set(0);
        find.dispatch(String::new());
    };
    listen_for_keys();

    let navigate = use_navigate();
    let key = move |event: ev::KeyboardEvent| {
        let last = n_shown().saturating_sub(1);
        let next = match event.key().as_str() {
            "ArrowDown" if selected.get_untracked() < last => selected.get_untracked() + 1,
            "ArrowDown" => 0,
            "ArrowUp" => selected.get_untracked().checked_sub(1).unwrap_or(last),
            "Enter" => {
                let item = shown
                    .read_untracked()
                    .get(selected.get_untracked() as usize)
                    .cloned();
                if let Some(item) = item {
                    event.prevent_default();
                    close_dialog(ID);
                    navigate(&item.href, NavigateOptions::default());
                }
                return;
            }
            _ => return,
        };
        event.prevent_default();
        selected.set(next);
        scroll_to(next);
    };
    let input = move |event: ev::Event| {
        words.set(event_target_value(&event));
        selected.set(0);
        find.dispatch(words.get_untracked());
    };

    view! {
        <dialog class="palette" id=ID aria-label="Search and commands" on:toggle=move |event| if is_opening(&event) { open() }>
            <form class="palette-search" role="search" method="get" action=action>
                <Icon glyph=Glyph::Search/>
                <input
                    type="search" name="q" aria-label="Search prompts, pages and actions"
                    placeholder="Search prompts, pages, actions" role="combobox" aria-expanded="true"
                    aria-controls="palette-list" autocomplete="off" autofocus=true
                    aria-activedescendant=move || format!("palette-{}", selected.get())
                    prop:value=words on:input=input on:keydown=key
                />
                <kbd>"Esc"</kbd>
            </form>
            <div class="palette-list" id="palette-list" role="listbox" aria-label="Results" tabindex="-1">
                {move || groups(&shown.read(), selected)}
            </div>
            <p class="palette-foot">
                <span><kbd>"↑"</kbd><kbd>"↓"</kbd>" move"</span>
                <span><kbd>"↵"</kbd>" open"</span>
                <span><kbd>"Esc"</kbd>" close"</span>
            </p>
        </dialog>
    }
}

fn groups(items: &[Item], selected: RwSignal<u32>) -> AnyView {
    if items.is_empty() {
        return view! { <p class="menu-label" role="option" aria-disabled="true">"Nothing fits. Enter searches the prompts."</p> }.into_any();
    }
    let mut index = 0_u32;
    ["Prompts", "Actions", "Go to"]
        .into_iter()
        .filter_map(|group| {
            let lines: Vec<_> = items.iter().filter(|item| item.group == group).collect();
            if lines.is_empty() {
                return None;
            }
            let lines = lines
                .into_iter()
                .map(|item| {
                    let line = line(item.clone(), index, selected);
                    index += 1;
                    line
                })
                .collect_view();
            let heading = format!("palette-{}", group.to_lowercase().replace(' ', "-"));
            let id = heading.clone();
            Some(view! {
                <div role="group" aria-labelledby=heading>
                    <h2 id=id role="presentation">{group}</h2>
                    {lines}
                </div>
            })
        })
        .collect_view()
        .into_any()
}

fn line(item: Item, index: u32, selected: RwSignal<u32>) -> impl IntoView {
    view! {
        <a
            class="menu-item" role="option" id=format!("palette-{index}") href=item.href tabindex="-1"
            aria-selected=move || if selected.get() == index { "true" } else { "false" }
        >
            <Icon glyph=item.glyph/>
            <span class="label">{item.label}</span>
            {(!item.hint.is_empty()).then(|| view! { <span class="hint">{item.hint}</span> })}
        </a>
    }
}

fn scroll_to(index: u32) {
    if let Some(line) = document().get_element_by_id(&format!("palette-{index}")) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        line.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

fn is_opening(event: &ev::Event) -> bool {
    event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::HtmlDialogElement>().ok())
        .is_some_and(|dialog| dialog.open())
}

/// Ctrl-K or Cmd-K anywhere; `/` outside of fields, unless it was switched off.
fn listen_for_keys() {
    Effect::new(|_| {
        let handle = window_event_listener(ev::keydown, |event| {
            let has_modifier = event.ctrl_key() || event.meta_key();
            let wants_palette = match event.key().as_str() {
                "k" | "K" => has_modifier && !event.alt_key() && !event.shift_key(),
                "/" => {
                    !has_modifier && !event.alt_key() && !is_in_field(&event) && single_keys_on()
                }
                _ => false,
            };
            if wants_palette {
                event.prevent_default();
                open_dialog(ID);
            }
        });
        on_cleanup(move || handle.remove());
    });
}

fn is_in_field(event: &ev::KeyboardEvent) -> bool {
    event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|element| {
            element
                .closest("input, textarea, select, [contenteditable], dialog[open]")
                .is_ok_and(|field| field.is_some())
        })
}

/// Where this browser remembers that single keys are not wanted (WCAG 2.1.4).
const SINGLE_KEYS: &str = "cueline-single-keys";

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Whether single keys do something; in the browser.
pub fn single_keys_on() -> bool {
    storage()
        .and_then(|storage| storage.get_item(SINGLE_KEYS).ok().flatten())
        .is_none_or(|word| word != "off")
}

/// Switches single keys on or off for this browser.
pub fn set_single_keys(is_on: bool) {
    if let Some(storage) = storage() {
        // A browser that keeps nothing forgets the choice; nothing else depends on it.
        let _ = storage.set_item(SINGLE_KEYS, if is_on { "on" } else { "off" });
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        actor::Role,
        id::{PersonId, ProjectId},
        project::Project,
    };

    use super::*;

    fn membership(role: Role) -> Membership {
        Membership {
            person: PersonId(uuid::Uuid::nil()),
            name: "Mara Okafor".into(),
            email: "mara@acme.example".into(),
            project: Project {
                id: ProjectId(uuid::Uuid::nil()),
                slug: "acme".into(),
                name: "Acme".into(),
                role,
            },
            projects: Vec::new(),
            may_create_projects: false,
            waiting: super::super::waiting::Counts::default(),
            appearance: super::super::Appearance::default(),
        }
    }

    fn labels(role: Role, words: &str) -> Vec<String> {
        let found = [Found {
            name: "support/triage".into(),
            version: Some(41),
            previous: Some(40),
        }];
        items(&membership(role), words, &found)
            .into_iter()
            .map(|item| item.label)
            .collect()
    }

    #[test]
    fn words_narrow_what_is_offered() {
        assert_eq!(
            labels(Role::Editor, "key"),
            ["support/triage", "Roll back support/triage", "API keys"]
        );
        assert_eq!(labels(Role::Editor, "new pro")[2], "New prompt");
    }

    #[test]
    fn a_viewer_is_not_offered_what_they_may_not_do() {
        assert_eq!(
            labels(Role::Viewer, "prompt"),
            ["support/triage", "Prompts"]
        );
    }
}
