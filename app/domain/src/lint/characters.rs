//! Characters that look like others, and characters that cannot be seen at all.

/// A word of mixed scripts.
pub(super) struct LookAlike<'a> {
    pub at: usize,
    pub word: &'a str,
}

/// One unseen character.
pub(super) struct Invisible {
    pub at: usize,
    pub character: char,
    pub what: &'static str,
}

/// Words that hold an ASCII letter and a Cyrillic or Greek one that passes for a Latin letter.
/// Others may mix: nobody mistakes the Δ in Δt.
pub(super) fn look_alikes(text: &str) -> Vec<LookAlike<'_>> {
    let mut at = 0;
    let mut found = Vec::new();
    for word in text.split(|c: char| !c.is_alphabetic()) {
        if word.contains(|c: char| c.is_ascii_alphabetic()) && word.contains(is_look_alike) {
            found.push(LookAlike { at, word });
        }
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

fn is_look_alike(c: char) -> bool {
    const CYRILLIC: &str = "АВЕЅІЈКМНОРСТУХҮҺаеѕіјорсухһԁԛԝґгп";
    const GREEK: &str = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορτυχϲϳ";
    CYRILLIC.contains(c) || GREEK.contains(c)
}

/// Characters without a picture of their own, except where writing needs them: a joiner
/// between emoji or inside a word of another script, tags inside a flag.
pub(super) fn invisible(text: &str) -> Vec<Invisible> {
    let mut found = Vec::new();
    let mut before = ' ';
    let mut is_flag = false;
    for (at, character) in text.char_indices() {
        let is_tag = ('\u{E0020}'..='\u{E007F}').contains(&character);
        is_flag = character == '\u{1F3F4}' || (is_flag && is_tag);
        if let Some(what) = name_of(character)
            && !(is_tag && is_flag)
            && (before.is_ascii() || !matches!(character, '\u{200C}' | '\u{200D}'))
        {
            found.push(Invisible {
                at,
                character,
                what,
            });
        }
        before = character;
    }
    found
}

fn name_of(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{AD}' => "soft hyphen",
        '\u{61C}' | '\u{200E}' | '\u{200F}' => "direction mark",
        '\u{180E}' | '\u{200B}' => "zero-width space",
        '\u{200C}' | '\u{200D}' => "zero-width joiner",
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => "changes the reading direction",
        '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}' => "unseen format character",
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => "empty letter",
        '\u{FEFF}' => "byte order mark",
        '\u{FFF9}'..='\u{FFFB}' => "annotation mark",
        '\u{E0000}'..='\u{E007F}' => "tag character",
        _ => return None,
    })
}
