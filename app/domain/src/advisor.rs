//! Whether a team needs Cueline at all: five questions, one honest answer, and what each question
//! had to do with it. Most teams with a few prompts do not.

use std::fmt;

/// How many prompts production runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prompts {
    /// One or two.
    Couple,
    /// Three to eight.
    Few,
    /// Nine to twenty.
    Many,
    /// More.
    Fleet,
}

/// How many people change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum People {
    /// One developer.
    One,
    /// Several developers.
    Several,
    /// Also people who do not write code.
    Mixed,
}

/// How often one of them changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changes {
    /// Less than once a month.
    Rarely,
    /// About once a week.
    Weekly,
    /// Every day.
    Daily,
}

/// How soon a bad one must be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recovery {
    /// With the next deploy.
    Deploy,
    /// Within minutes.
    Minutes,
    /// Within seconds.
    Seconds,
}

/// Whether somebody will ask who changed what, and on what evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Nobody.
    Nobody,
    /// The team itself.
    Team,
    /// An auditor or a regulator.
    Auditor,
}

/// The answers to the five questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// How many prompts?
    pub prompts: Prompts,
    /// How many people?
    pub people: People,
    /// How often do they change?
    pub changes: Changes,
    /// How fast must a bad one be gone?
    pub recovery: Recovery,
    /// Who asks for proof?
    pub proof: Proof,
}

/// What to use, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// Strings in the code.
    HardCode,
    /// A file beside the code, read at start or when it changes.
    ConfigFile,
    /// Any prompt platform, hosted or your own.
    Platform,
    /// A registry with approvals and an audit trail.
    Registry,
}

/// An answer and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advised {
    /// What to use.
    pub advice: Advice,
    /// What decided it, a sentence each.
    pub because: Vec<String>,
    /// What would change it; none if nothing asks for more.
    pub until: Option<String>,
}

impl Advice {
    /// In a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::HardCode => "Hard-code them. You do not need Cueline.",
            Self::ConfigFile => "A config file is enough. You do not need Cueline yet.",
            Self::Platform => "A prompt platform pays off. Cueline is one, and not the only one.",
            Self::Registry => {
                "You need a registry with an audit trail. This is what Cueline is for."
            }
        }
    }

    /// What that means in practice.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::HardCode => {
                "Keep the prompts in the code, as constants with a test each. Version control already has their history, review is a pull request, and going back is a deploy. A server and a database to look after would cost more than they save."
            }
            Self::ConfigFile => {
                "Put the prompts into a file of their own in the repository, load it at start or when it changes, and run a handful of golden cases in continuous integration. The history of the file says who changed what, and going back is one commit."
            }
            Self::Platform => {
                "Several people changing that many prompts want one place with versions, comparison and a way back that is no deploy. A hosted platform is the least work if prompts may leave the house; Cueline is the choice if they may not, or if results must hold up to statistics."
            }
            Self::Registry => {
                "Versions that cannot be changed, approvals by somebody else than the author, evidence frozen with each release, a hash-chained trail, and rollback proven to have arrived everywhere. That is work to run: one binary and Postgres, backed up."
            }
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// What five answers come to. The number of prompts says where to begin; what else is asked of
/// them moves the answer up, each for a reason that is given.
#[must_use]
pub fn advise(answers: Answers) -> Advised {
    let is_team = answers.people > People::One;
    let (mut advice, first) = match (answers.prompts, is_team) {
        (Prompts::Couple, _) => (
            Advice::HardCode,
            "One or two prompts are found and changed in the code without help.",
        ),
        (Prompts::Few, _) => (
            Advice::ConfigFile,
            "Three to eight prompts still fit into one file that a person can read.",
        ),
        (Prompts::Many, false) => (
            Advice::ConfigFile,
            "Nine to twenty prompts are many, but one person still knows them all.",
        ),
        (Prompts::Many, true) => (
            Advice::Platform,
            "Nine to twenty prompts and several people: nobody knows them all any more.",
        ),
        (Prompts::Fleet, _) => (
            Advice::Registry,
            "With more than twenty prompts, what is live where needs a place that knows it.",
        ),
    };
    let mut because = vec![first.to_owned()];
    let mut raise = |to: Advice, why: &str| {
        // What asks for no more than is advised already still speaks for it.
        if to >= advice {
            advice = to;
            because.push(why.to_owned());
        }
    };
    if answers.people == People::Mixed {
        raise(
            Advice::Platform,
            "People who do not write code change prompts: they need a page, not a pull request.",
        );
    }
    if is_team && answers.changes > Changes::Rarely {
        raise(
            Advice::ConfigFile,
            "Several people change them often: apart from the code, changes stay small and are reviewed alone.",
        );
    }
    if answers.changes == Changes::Daily && is_team && answers.prompts > Prompts::Couple {
        raise(
            Advice::Platform,
            "Several people change several prompts every day: comparing versions by hand stops working.",
        );
    }
    match answers.recovery {
        Recovery::Deploy => {}
        Recovery::Minutes => raise(
            Advice::ConfigFile,
            "Minutes are faster than most deploys: a file that is read again when it changes manages them.",
        ),
        Recovery::Seconds => raise(
            Advice::Platform,
            "Gone within seconds, everywhere, with proof: that needs something that pushes to every client.",
        ),
    }
    match answers.proof {
        Proof::Nobody => {}
        Proof::Team => raise(
            Advice::ConfigFile,
            "The team wants to know who changed what: the history of a file answers that.",
        ),
        Proof::Auditor => raise(
            Advice::Registry,
            "An auditor asks who changed what on whose approval: that needs a trail nobody can rewrite.",
        ),
    }
    Advised {
        advice,
        because,
        until: until(advice).map(str::to_owned),
    }
}

/// What would ask for more.
const fn until(advice: Advice) -> Option<&'static str> {
    match advice {
        Advice::HardCode => Some(
            "Come back when there are more than a handful of prompts, or when people who do not deploy want to change them.",
        ),
        Advice::ConfigFile => Some(
            "Come back with more than eight prompts and several people, when a bad prompt must be gone in seconds, or when an auditor asks.",
        ),
        Advice::Platform => Some(
            "Take the registry part seriously with more than twenty prompts, or when compliance asks for approvals and a trail.",
        ),
        Advice::Registry => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Answers = Answers {
        prompts: Prompts::Couple,
        people: People::One,
        changes: Changes::Rarely,
        recovery: Recovery::Deploy,
        proof: Proof::Nobody,
    };

    #[test]
    fn the_four_answers_of_the_product_are_given() {
        let advice = |answers| advise(answers).advice;
        assert_eq!(advice(LEAST), Advice::HardCode);
        let few = Answers {
            prompts: Prompts::Few,
            changes: Changes::Weekly,
            ..LEAST
        };
        assert_eq!(advice(few), Advice::ConfigFile);
        let many = Answers {
            prompts: Prompts::Many,
            people: People::Several,
            ..few
        };
        assert_eq!(advice(many), Advice::Platform);
        let fleet = Answers {
            prompts: Prompts::Fleet,
            ..many
        };
        assert_eq!(advice(fleet), Advice::Registry);
        let audited = Answers {
            proof: Proof::Auditor,
            ..LEAST
        };
        assert_eq!(advice(audited), Advice::Registry);
    }

    #[test]
    fn asking_for_more_never_advises_less() {
        let prompts = [Prompts::Couple, Prompts::Few, Prompts::Many, Prompts::Fleet];
        let people = [People::One, People::Several, People::Mixed];
        let changes = [Changes::Rarely, Changes::Weekly, Changes::Daily];
        let recoveries = [Recovery::Deploy, Recovery::Minutes, Recovery::Seconds];
        let proofs = [Proof::Nobody, Proof::Team, Proof::Auditor];
        for (a, prompts) in prompts.into_iter().enumerate() {
            for (b, people) in people.into_iter().enumerate() {
                for (c, changes) in changes.into_iter().enumerate() {
                    for (d, recovery) in recoveries.into_iter().enumerate() {
                        for (e, proof) in proofs.into_iter().enumerate() {
                            let answers = Answers {
                                prompts,
                                people,
                                changes,
                                recovery,
                                proof,
                            };
                            let advised = advise(answers);
                            assert!(!advised.because.is_empty());
                            assert_eq!(advised.until.is_none(), advised.advice == Advice::Registry);
                            let less = |is_more: bool, less: Answers| {
                                assert!(
                                    !is_more || advise(less).advice <= advised.advice,
                                    "{answers:?}"
                                );
                            };
                            less(
                                a > 0,
                                Answers {
                                    prompts: Prompts::Couple,
                                    ..answers
                                },
                            );
                            less(
                                b > 0,
                                Answers {
                                    people: People::One,
                                    ..answers
                                },
                            );
                            less(
                                c > 0,
                                Answers {
                                    changes: Changes::Rarely,
                                    ..answers
                                },
                            );
                            less(
                                d > 0,
                                Answers {
                                    recovery: Recovery::Deploy,
                                    ..answers
                                },
                            );
                            less(
                                e > 0,
                                Answers {
                                    proof: Proof::Nobody,
                                    ..answers
                                },
                            );
                        }
                    }
                }
            }
        }
    }
}
