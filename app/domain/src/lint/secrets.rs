//! Texts shaped like keys and tokens. Known prefixes only: a finding should be worth acting on.

/// No token we know is shorter, and most words are.
const SHORTEST: usize = 15;

/// Something shaped like a secret. The secret itself is not kept.
pub(super) struct Secret {
    pub at: usize,
    pub what: &'static str,
}

/// Every secret-shaped stretch.
pub(super) fn find(text: &str) -> Vec<Secret> {
    let mut found = private_keys(text);
    let mut at = 0;
    for token in text.split(|c: char| !is_token_char(c)) {
        if token.len() >= SHORTEST
            && let Some(what) = what_is(token)
        {
            found.push(Secret { at, what });
        }
        at += token.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found.sort_by_key(|secret| secret.at);
    found
}

fn private_keys(text: &str) -> Vec<Secret> {
    let starts = text.match_indices("-----BEGIN ");
    starts
        .filter(|(at, begin)| {
            let rest = &text[at + begin.len()..];
            rest.split_once("-----").is_some_and(|(kind, _)| {
                kind.len() < 40 && kind.trim_end_matches(" BLOCK").ends_with("PRIVATE KEY")
            })
        })
        .map(|(at, _)| Secret {
            at,
            what: "a private key",
        })
        .collect()
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn what_is(token: &str) -> Option<&'static str> {
    // The end of a sentence is no part of a token.
    let token = token.trim_end_matches('.');
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_mixed = |text: &str| {
        text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !text.contains('.')
    };
    let rest = |prefix: &str, least: usize| {
        token
            .strip_prefix(prefix)
            .filter(|rest| rest.len() >= least)
    };
    if rest("sk-ant-", 20).is_some_and(is_mixed) {
        return Some("an Anthropic API key");
    }
    if rest("sk-", 20).is_some_and(is_mixed) {
        return Some("an OpenAI API key");
    }
    let is_aws = |rest: &str| {
        rest.len() == 16
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    if rest("AKIA", 16).or(rest("ASIA", 16)).is_some_and(is_aws) {
        return Some("an AWS access key");
    }
    let github = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"];
    if github
        .iter()
        .any(|prefix| rest(prefix, 30).is_some_and(is_word))
        || rest("github_pat_", 22).is_some_and(is_mixed)
    {
        return Some("a GitHub token");
    }
    if rest("glpat-", 20).is_some() {
        return Some("a GitLab token");
    }
    let slack = [
        "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-",
    ];
    if slack
        .iter()
        .any(|prefix| rest(prefix, 10).is_some_and(is_mixed))
    {
        return Some("a Slack token");
    }
    if rest("AIza", 35).is_some_and(|rest| rest.len() == 35) {
        return Some("a Google API key");
    }
    is_jwt(token).then_some("a JSON web token")
}

/// Two JSON objects and a signature, in base64.
fn is_jwt(token: &str) -> bool {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next(), parts.next(), parts.next());
    let is_object =
        |part: Option<&str>| part.is_some_and(|part| part.starts_with("eyJ") && part.len() > 10);
    is_object(header)
        && is_object(claims)
        && signature.is_some_and(|part| part.len() > 10)
        && parts.next().is_none()
}
