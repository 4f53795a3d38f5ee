use serde_json::json;

use super::*;

fn found(value: Value) -> Vec<(LintRule, String)> {
    let content: Content = serde_json::from_value(value).unwrap();
    lint(&content)
        .into_iter()
        .map(|finding| (finding.rule, finding.path))
        .collect()
}

#[track_caller]
fn check_message(role: &str, template: &str, expected: &[LintRule]) {
    let value = json!({
        "type": "chat",
        "messages": [{"role": role, "content": template}],
        "variables": [
            {"name": "t", "type": "string", "max_length": 9},
            {"name": "ours", "type": "string", "max_length": 9, "trust": "trusted"},
            {"name": "tone", "type": "enum", "values": ["a"]},
        ],
    });
    let rules: Vec<LintRule> = found(value).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, expected, "{template}");
}

#[test]
fn untrusted_values_do_not_belong_into_instructions() {
    use LintRule::{UntrustedInInstructions, UntrustedWithoutDelimiters};
    check_message(
        "system",
        "Hi {{t}}",
        &[UntrustedInInstructions, UntrustedWithoutDelimiters],
    );
    check_message("developer", "<t>{{t}}</t>", &[UntrustedInInstructions]);
    check_message("system", "{{ours}} {{tone}}", &[]);
}

#[test]
fn untrusted_values_need_delimiters() {
    use LintRule::UntrustedWithoutDelimiters;
    for template in [
        "<ticket>{{t}}</ticket>",
        "<ticket id=\"1\">\n{{ours}} {{t}}\n</ticket>",
        "```\n{{t}}\n```",
        "\"\"\"{{t}}\"\"\"",
        "'''{{t}}'''",
        "<<<{{t}}>>>",
        "Text:\n---\n{{t}}\n---\n",
        "### TICKET ###\n{{t}}\n### END ###",
    ] {
        check_message("user", template, &[]);
    }
    for template in [
        "{{t}}",
        "<b>x</b> {{t}}",
        "{{t}} <ticket>",
        "</ticket>{{t}}<ticket>",
        "``` {{t}}",
        "```x``` {{t}} ```y```",
        "a < b {{t}} </b>",
        "---\n{{t}}",
        "{{t}} and {{t}}",
    ] {
        check_message("user", template, &[UntrustedWithoutDelimiters]);
    }
}

#[track_caller]
fn check_text(text: &str, expected: &[LintRule]) {
    check_message("user", text, expected);
}

#[test]
fn look_alike_letters_inside_a_word_are_found() {
    check_text("Pay with p\u{430}ypal", &[LintRule::LookAlikeCharacters]);
    check_text(
        "\u{391}pple and Micr\u{3BF}soft",
        &[LintRule::LookAlikeCharacters],
    );
    check_text("Привет, IPv6-адрес; \u{394}t, naïve, Ελλάδα", &[]);
}

#[test]
fn invisible_characters_are_found_where_writing_does_not_need_them() {
    for text in [
        "a\u{200B}b",
        "\u{202E}txt",
        "ab\u{200D}c",
        "x\u{E0041}",
        "\u{FEFF}x",
        "a\u{2066}b\u{2069}",
    ] {
        check_text(text, &[LintRule::InvisibleCharacters]);
    }
    check_text(
        "👩\u{200D}👩\u{200D}👧 می\u{200C}خواهم 🏴\u{E0067}\u{E0062}\u{E007F}",
        &[],
    );
}

#[test]
fn secrets_are_found_by_their_shape() {
    // Put together here, so that this file itself holds nothing secret-shaped.
    let digits = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for secret in [
        format!("sk-{digits}"),
        format!("sk-proj-{digits}_x-y"),
        format!("sk-ant-api03-{digits}"),
        format!("AKIA{}", "IOSFODNN7EXAMPLE"),
        format!("ghp_{digits}"),
        format!("xoxb-{}-{digits}", 123_456_789),
        format!("-----BEGIN RSA {} KEY-----\nMII", "PRIVATE"),
        format!("eyJ{digits}.eyJ{digits}.{digits}"),
    ] {
        check_text(&format!("Use key=\"{secret}\"."), &[LintRule::Secret]);
    }
    for text in [
        "sk-learn",
        "sk-please-answer-in-one-sentence",
        "AKIA",
        "-----BEGIN PUBLIC KEY-----",
        "a.b.c",
    ] {
        check_text(text, &[]);
    }
}

#[test]
fn a_finding_never_repeats_the_secret() {
    let secret = format!("sk-{}", "a1B2c3D4e5F6g7H8i9J0");
    let content = json!({"type": "text", "messages": [{"role": "user", "content": secret}]});
    let findings = lint(&serde_json::from_value(content).unwrap());
    assert_eq!(findings[0].severity, Severity::Danger);
    assert!(!findings[0].message.contains(&secret[..8]));
}

#[test]
fn every_part_of_a_content_is_looked_at() {
    let secret = format!("ghp_{}", "a".repeat(36));
    let value = json!({
        "type": "text",
        "messages": [{"role": "user", "content": "<x>{{x}}</x>"}],
        "variables": [{"name": "x", "type": "string", "max_length": 20_001, "example": secret}],
        "tools": [{"name": "a", "description": secret}],
        "response_format": {"schema": [secret]},
    });
    assert_eq!(
        found(value),
        [
            (
                LintRule::LargeMaxLength,
                "content.variables[0].max_length".to_owned()
            ),
            (LintRule::Secret, "content.variables[0].example".to_owned()),
            (LintRule::Secret, "content.tools[0]".to_owned()),
            (LintRule::Secret, "content.response_format".to_owned()),
        ]
    );
}
