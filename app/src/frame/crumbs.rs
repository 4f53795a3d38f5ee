//! Where one is, derived from the address alone.

use leptos::prelude::*;
use leptos_router::location::Url;

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crumb {
    /// What it is called.
    pub words: String,
    /// Where it leads; none: one is there.
    pub href: Option<String>,
}

impl Crumb {
    fn to(words: &str, href: String) -> Self {
        Self {
            words: words.to_owned(),
            href: Some(href),
        }
    }

    fn here(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            href: None,
        }
    }

    /// As a list item.
    pub fn view(self) -> AnyView {
        match self.href {
            Some(href) => view! { <li><a href=href>{self.words}</a></li> }.into_any(),
            None => view! { <li aria-current="page"><span>{self.words}</span></li> }.into_any(),
        }
    }
}

/// The way to a path such as `/p/acme/prompts/support/triage`.
pub fn crumbs(project_name: &str, path: &str) -> Vec<Crumb> {
    let mut parts = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(Url::unescape);
    let (Some(_), Some(slug)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let base = format!("/p/{slug}");
    let mut way = vec![Crumb::to(project_name, base.clone())];
    let page = parts.next();
    let rest: Vec<String> = parts.collect();
    match page.as_deref() {
        None => way.push(Crumb::here("Overview")),
        Some("prompts") if rest.is_empty() => way.push(Crumb::here("Prompts")),
        Some("prompts") => prompt(&mut way, &base, &rest, true),
        Some("new-prompt") => {
            way.push(Crumb::to("Prompts", format!("{base}/prompts")));
            way.push(Crumb::here("New"));
        }
        Some("roll-back") => {
            prompt(&mut way, &base, &rest, false);
            way.push(Crumb::here("Roll back"));
        }
        Some("deployments") => way.push(Crumb::here("Deployment")),
        Some("suites") => below(&mut way, &base, "suites", "Suites", "Suite", &rest),
        Some("runs") => below(&mut way, &base, "runs", "Runs", "Run", &rest),
        Some("experiments") => below(
            &mut way,
            &base,
            "experiments",
            "Experiments",
            "Experiment",
            &rest,
        ),
        Some("new-experiment") => {
            way.push(Crumb::to("Experiments", format!("{base}/experiments")));
            way.push(Crumb::here("New"));
        }
        Some("approvals") => below(&mut way, &base, "approvals", "Approvals", "Review", &rest),
        Some("alerts") => below(&mut way, &base, "alerts", "Alerts", "Alert", &rest),
        Some("drift") if rest.is_empty() => way.push(Crumb::here("Drift")),
        Some("drift") => {
            way.push(Crumb::to("Drift", format!("{base}/drift")));
            way.push(Crumb::here(&rest.join("/")));
        }
        Some("audit") => match rest.first() {
            None => way.push(Crumb::here("Audit")),
            Some(number) => {
                way.push(Crumb::to("Audit", format!("{base}/audit")));
                way.push(Crumb::here(number));
            }
        },
        Some("calculators") => way.push(Crumb::here("Calculators")),
        Some("advisor") => way.push(Crumb::here("Advisor")),
        Some("settings") => {
            way.push(Crumb::to("Settings", format!("{base}/settings")));
            way.push(Crumb::here(match rest.first().map(String::as_str) {
                Some("keys") => "API keys",
                Some("providers") => "Providers",
                Some("prices") => "Prices",
                Some("environments") => "Environments",
                Some("alerts") => "Alerts",
                Some("webhooks") => "Webhooks",
                Some("profile") => "Profile",
                _ => "Members",
            }));
        }
        Some(_) => way.push(Crumb::here("Not found")),
    }
    way
}

/// A list, and one of it: what has an id and no name is called by its noun.
fn below(way: &mut Vec<Crumb>, base: &str, path: &str, list: &str, one: &str, rest: &[String]) {
    if rest.is_empty() {
        way.push(Crumb::here(list));
    } else {
        way.push(Crumb::to(list, format!("{base}/{path}")));
        way.push(Crumb::here(one));
    }
}

/// Prompts, each folder, the prompt.
fn prompt(way: &mut Vec<Crumb>, base: &str, name: &[String], is_here: bool) {
    way.push(Crumb::to("Prompts", format!("{base}/prompts")));
    let Some((leaf, folders)) = name.split_last() else {
        return;
    };
    for (index, folder) in folders.iter().enumerate() {
        let whole = name[..=index].join("/");
        way.push(Crumb::to(
            folder,
            format!("{base}/prompts?folder={}", Url::escape(&whole)),
        ));
    }
    way.push(if is_here {
        Crumb::here(leaf)
    } else {
        Crumb::to(leaf, format!("{base}/prompts/{}", name.join("/")))
    });
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &[(&str, &str)]) {
        let found = crumbs("Acme", path);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|crumb| (crumb.words.as_str(), crumb.href.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_way_follows_the_address() {
        check("/p/acme", &[("Acme", "/p/acme"), ("Overview", "")]);
        check("/p/acme/prompts/", &[("Acme", "/p/acme"), ("Prompts", "")]);
        check(
            "/p/acme/prompts/support/mail/triage",
            &[
                ("Acme", "/p/acme"),
                ("Prompts", "/p/acme/prompts"),
                ("support", "/p/acme/prompts?folder=support"),
                ("mail", "/p/acme/prompts?folder=support%2Fmail"),
                ("triage", ""),
            ],
        );
        check(
            "/p/acme/roll-back/triage",
            &[
                ("Acme", "/p/acme"),
                ("Prompts", "/p/acme/prompts"),
                ("triage", "/p/acme/prompts/triage"),
                ("Roll back", ""),
            ],
        );
        check(
            "/p/acme/audit/12",
            &[("Acme", "/p/acme"), ("Audit", "/p/acme/audit"), ("12", "")],
        );
        check(
            "/p/acme/settings/keys",
            &[
                ("Acme", "/p/acme"),
                ("Settings", "/p/acme/settings"),
                ("API keys", ""),
            ],
        );
        check("/", &[]);
    }
}
