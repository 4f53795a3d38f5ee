//! Somebody: a person, a key or the system itself, with initials before the name.

use leptos::prelude::*;

/// Somebody: `<Who name=who.name() kind=who.kind()/>`.
#[component]
pub fn Who(
    /// As people call them.
    #[prop(into)]
    name: String,
    /// `person`, `key` or `system`.
    #[prop(default = "person")]
    kind: &'static str,
) -> impl IntoView {
    let is_machine = (kind != "person").then_some("key");
    view! {
        <span class="who">
            <span class="avatar" data-kind=is_machine aria-hidden="true">{initials(&name)}</span>
            <span>{name}</span>
        </span>
    }
}

/// An empty cell, also for those who listen.
#[component]
pub fn Nobody(
    /// The word that is read out.
    #[prop(default = "none")]
    word: &'static str,
) -> impl IntoView {
    view! { <span class="none"><span aria-hidden="true">"–"</span><span class="sr-only">{word}</span></span> }
}

/// The first letters of the first two words.
pub(crate) fn initials(name: &str) -> String {
    name.split([' ', '-', '_', '.', '@'])
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()))
        .take(2)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_the_first_letters_of_two_words() {
        assert_eq!(initials("Mara Okafor"), "mo");
        assert_eq!(initials("deploy-bot"), "db");
        assert_eq!(initials("Ölçay"), "ö");
        assert_eq!(initials("  "), "");
    }
}
