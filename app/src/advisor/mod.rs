//! Do I need this at all? Five questions, and an answer that says no to most. The address holds
//! the answers, so that the advice can be sent on; it works without script.

use domain::advisor::{
    Advice, Advised, Answers, Changes, People, Prompts, Proof, Recovery, advise,
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
    params::ParamsMap,
};

use crate::{
    frame::use_project,
    prompts::links::{segment, with_query},
    ui::{Copyable, Glyph, Icon, PageHeader, Tone},
};

mod calls;

/// One question with its choices: the word in the address, and what it says.
struct Question {
    name: &'static str,
    words: &'static str,
    why: &'static str,
    choices: &'static [(&'static str, &'static str)],
}

const QUESTIONS: [Question; 5] = [
    Question {
        name: "prompts",
        words: "How many prompts does production run on?",
        why: "Few are found in the code; many need a place that knows them.",
        choices: &[
            ("couple", "One or two"),
            ("few", "Three to eight"),
            ("many", "Nine to twenty"),
            ("fleet", "More than twenty"),
        ],
    },
    Question {
        name: "people",
        words: "Who changes them?",
        why: "One person needs no process; people who do not deploy need a page.",
        choices: &[
            ("one", "One developer"),
            ("several", "Several developers"),
            ("mixed", "Also people who do not write code"),
        ],
    },
    Question {
        name: "changes",
        words: "How often does one of them change?",
        why: "What hardly changes can live with the code.",
        choices: &[
            ("rarely", "Less than once a month"),
            ("weekly", "About once a week"),
            ("daily", "Every day"),
        ],
    },
    Question {
        name: "recovery",
        words: "How soon must a bad prompt be gone?",
        why: "A deploy takes minutes to hours; pushing to clients takes a second.",
        choices: &[
            ("deploy", "With the next deploy"),
            ("minutes", "Within minutes"),
            ("seconds", "Within seconds, everywhere"),
        ],
    },
    Question {
        name: "proof",
        words: "Who asks what changed, and on what evidence?",
        why: "Version control answers a team; an auditor wants approvals and a trail nobody can rewrite.",
        choices: &[
            ("nobody", "Nobody"),
            ("team", "The team itself"),
            ("auditor", "An auditor or a regulator"),
        ],
    },
];

/// The word chosen for each question; empty where none is.
fn read(params: &ParamsMap) -> [String; 5] {
    QUESTIONS.each_ref().map(|question| {
        params
            .get(question.name)
            .filter(|word| question.choices.iter().any(|(known, _)| known == word))
            .unwrap_or_default()
    })
}

/// The answers; none until every question has one.
fn answers(chosen: &[String; 5]) -> Option<Answers> {
    let [prompts, people, changes, recovery, proof] = chosen.each_ref().map(String::as_str);
    Some(Answers {
        prompts: match prompts {
            "couple" => Prompts::Couple,
            "few" => Prompts::Few,
            "many" => Prompts::Many,
            "fleet" => Prompts::Fleet,
            _ => return None,
        },
        people: match people {
            "one" => People::One,
            "several" => People::Several,
            "mixed" => People::Mixed,
            _ => return None,
        },
        changes: match changes {
            "rarely" => Changes::Rarely,
            "weekly" => Changes::Weekly,
            "daily" => Changes::Daily,
            _ => return None,
        },
        recovery: match recovery {
            "deploy" => Recovery::Deploy,
            "minutes" => Recovery::Minutes,
            "seconds" => Recovery::Seconds,
            _ => return None,
        },
        proof: match proof {
            "nobody" => Proof::Nobody,
            "team" => Proof::Team,
            "auditor" => Proof::Auditor,
            _ => return None,
        },
    })
}

fn address(project: &str, chosen: &[String; 5]) -> String {
    let pairs: Vec<(&str, &str)> = QUESTIONS
        .iter()
        .zip(chosen)
        .map(|(question, word)| (question.name, word.as_str()))
        .collect();
    with_query(format!("/p/{}/advisor", segment(project)), &pairs)
}

/// `/p/<project>/advisor?prompts=&people=&changes=&recovery=&proof=`
#[component]
pub fn AdvisorPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let chosen = Memo::new(move |_| params.with(read));
    // Only the server knows the address it is reached under.
    let home = Resource::new(move || project.get(), calls::load_home);
    let navigate = use_navigate();
    let choose = Callback::new(move |(index, word): (usize, &'static str)| {
        let mut next = chosen.get_untracked();
        if let Some(one) = next.get_mut(index) {
            word.clone_into(one);
        }
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&address(&project.get_untracked(), &next), options);
    });
    let questions = QUESTIONS
        .iter()
        .enumerate()
        .map(|(index, question)| ask(index, question, chosen, choose))
        .collect_view();
    let action = move || format!("/p/{}/advisor", segment(&project.get()));
    view! {
        <PageHeader title="Advisor" lede=|| view! { "Do you need this at all? Five questions, and an honest answer." }/>
        <div class="advisor">
            <form method="get" action=action class="panel" aria-label="Five questions">
                <div class="panel-body form">{questions}</div>
                <div class="panel-foot">
                    <button type="submit" class="btn" data-kind="primary" data-scripting="none">"Answer"</button>
                    <a class="btn" href=action><Icon glyph=Glyph::RollBack/>"Start over"</a>
                    <span class="note" data-scripting="needed">"The answer follows as you choose."</span>
                </div>
            </form>
            <section class="advice" aria-labelledby="advice-title">
                <h2 id="advice-title">"The answer"</h2>
                <div role="status">{move || said(&chosen.read())}</div>
                <Transition>
                    {move || Suspend::new(async move {
                        let home = home.await.ok()?;
                        Some(view! { {move || share(&home, &project.get(), &chosen.read())} })
                    })}
                </Transition>
            </section>
        </div>
    }
}

fn ask(
    index: usize,
    question: &'static Question,
    chosen: Memo<[String; 5]>,
    choose: Callback<(usize, &'static str)>,
) -> impl IntoView {
    let choices = question
        .choices
        .iter()
        .map(|(word, words)| {
            let is_chosen = move || chosen.with(|chosen| chosen[index] == *word);
            view! {
                <label class="choice">
                    <input
                        type="radio" name=question.name value=*word required=true checked=untrack(is_chosen) prop:checked=is_chosen
                        on:change=move |_| choose.run((index, word))
                    />
                    <span>{*words}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset>
            <legend>{format!("{}. {}", index + 1, question.words)}</legend>
            <p class="note">{question.why}</p>
            <div class="choices">{choices}</div>
        </fieldset>
    }
}

fn said(chosen: &[String; 5]) -> AnyView {
    let Some(answers) = answers(chosen) else {
        let left = chosen.iter().filter(|word| word.is_empty()).count();
        let words = match left {
            5 => "Answer the five questions; nothing is kept or sent anywhere.".to_owned(),
            1 => "One question left.".to_owned(),
            left => format!("{left} questions left."),
        };
        return view! { <p class="advice-wait">{words}</p> }.into_any();
    };
    let Advised {
        advice,
        because,
        until,
    } = advise(answers);
    let tone = if advice >= Advice::Platform {
        Tone::Good
    } else {
        Tone::Info
    };
    let because = because
        .into_iter()
        .map(|line| view! { <li>{line}</li> })
        .collect_view();
    view! {
        <div class="banner" data-tone=tone.word()>
            <Icon glyph=tone.glyph()/>
            <div><strong>{advice.title()}</strong><p>{advice.advice()}</p></div>
        </div>
        <h3>"Because"</h3>
        <ul class="advice-why">{because}</ul>
        {until.map(|until| view! { <p class="muted">{until}</p> })}
    }
    .into_any()
}

/// The link to this answer.
fn share(home: &str, project: &str, chosen: &[String; 5]) -> Option<AnyView> {
    answers(chosen)?;
    let link = format!("{}{}", home.trim_end_matches('/'), address(project, chosen));
    Some(
        view! {
            <div class="stack" data-gap="small">
                <h3>"Share this answer"</h3>
                <Copyable text=link/>
            </div>
        }
        .into_any(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_an_answer() {
        for (index, question) in QUESTIONS.iter().enumerate() {
            for (word, _) in question.choices {
                let mut chosen = QUESTIONS.each_ref().map(|one| one.choices[0].0.to_owned());
                (*word).clone_into(&mut chosen[index]);
                assert!(answers(&chosen).is_some(), "{word}");
            }
        }
    }

    #[test]
    fn the_address_holds_the_answers() {
        let params: ParamsMap = [
            ("prompts", "few"),
            ("people", "nonsense"),
            ("proof", "team"),
        ]
        .into_iter()
        .collect();
        let chosen = read(&params);
        assert_eq!(answers(&chosen), None);
        assert_eq!(
            address("acme", &chosen),
            "/p/acme/advisor?prompts=few&proof=team"
        );
    }
}
