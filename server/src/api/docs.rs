//! `/api/docs`: the description as a page. Plain HTML with the site's own style; no script.

use std::{fmt::Write, sync::LazyLock};

use axum::{
    http::header,
    response::{Html, IntoResponse},
};
use serde_json::Value;

use super::openapi::description;
use crate::assets;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The page.
pub async fn page() -> impl IntoResponse {
    static PAGE: LazyLock<String> = LazyLock::new(|| write_page(description()));
    (
        [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ],
        Html(PAGE.as_str()),
    )
}

/// One operation, as the page needs it.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    described: &'a Value,
}

fn operations<'a>(api: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    entries(&api["paths"])
        .flat_map(|(path, operations)| {
            entries(operations).map(move |(method, described)| Operation {
                method,
                path,
                described,
            })
        })
        .filter(|operation| operation.described["tags"][0] == tag)
        .collect()
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn write_page(api: &Value) -> String {
    let tags: Vec<(String, &str, &str)> = items(&api["tags"])
        .map(|tag| {
            let name = text(&tag["name"]);
            (name.replace(' ', "-"), name, text(&tag["description"]))
        })
        .collect();
    let mut links = String::new();
    let mut sections = String::new();
    for (id, name, about) in &tags {
        let _ = write!(
            links,
            "<li><a class=\"rail-link\" href=\"#{id}\">{}</a></li>",
            escaped(name)
        );
        let _ = write!(
            sections,
            "<section class=\"section\" aria-labelledby=\"{id}\"><div class=\"section-head\"><h2 id=\"{id}\">{}</h2>\
             <p class=\"note\">{}</p></div>",
            escaped(name),
            prose(about)
        );
        for operation in operations(api, name) {
            write_operation(&mut sections, &operation);
        }
        sections.push_str("</section>");
    }
    let mut shapes = String::new();
    for (name, schema) in entries(&api["components"]["schemas"]) {
        write_shape(&mut shapes, name, schema);
    }
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>API · Cueline</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"/{pkg}/cueline.css\"></head><body>\
         <a class=\"skip\" href=\"#main\">Skip to content</a><div class=\"shell\">\
         <nav class=\"rail\" id=\"rail\" popover aria-label=\"Sections\"><ul class=\"rail-links\">\
         <li><a class=\"rail-link\" href=\"/\">← Cueline</a></li></ul><ul class=\"rail-links\">{links}\
         <li><a class=\"rail-link\" href=\"#shapes\">shapes</a></li></ul></nav>\
         <header class=\"topbar\"><button class=\"btn rail-open\" data-kind=\"quiet\" popovertarget=\"rail\">Sections</button>\
         <nav class=\"crumbs\" aria-label=\"Breadcrumb\"><ol><li><a href=\"/\">Cueline</a></li><li><span>API</span></li></ol></nav>\
         </header><main class=\"main\" id=\"main\" tabindex=\"-1\"><div class=\"page\"><header class=\"page-header\">\
         <div class=\"title\"><h1 tabindex=\"-1\">API</h1><p class=\"lede\">{about}</p></div>\
         <div class=\"actions\"><a class=\"btn\" href=\"/api/openapi.json\">OpenAPI document</a></div></header>\
         {sections}<section class=\"section\" aria-labelledby=\"shapes\"><div class=\"section-head\"><h2 id=\"shapes\">shapes</h2>\
         <p class=\"note\">What bodies and answers are made of. A member with <code class=\"inline\">?</code> may be left out.</p></div>\
         {shapes}</section></div></main></div></body></html>",
        pkg = assets::pkg_dir(),
        about = prose(text(&api["info"]["description"])),
    )
}

fn write_operation(page: &mut String, operation: &Operation) {
    let described = operation.described;
    let _ = write!(
        page,
        "<article class=\"panel\"><div class=\"panel-head\"><h3 id=\"{id}\"><span class=\"badge\" data-tone=\"{tone}\">{method}</span> \
         <code>{path}</code></h3></div><div class=\"panel-body stack\"><p>{summary}</p>",
        id = escaped(text(&described["operationId"])),
        tone = if operation.method == "get" {
            "outline"
        } else {
            "info"
        },
        method = operation.method.to_uppercase(),
        path = escaped(operation.path),
        summary = prose(text(&described["summary"])),
    );
    let about = text(&described["description"]);
    if !about.is_empty() && about != text(&described["summary"]) {
        let _ = write!(page, "<p class=\"note\">{}</p>", prose(about));
    }
    let parameters: Vec<[String; 3]> = items(&described["parameters"])
        .map(|parameter| {
            [
                format!("<code>{}</code>", escaped(text(&parameter["name"]))),
                escaped(text(&parameter["in"])),
                prose(text(&parameter["description"])),
            ]
        })
        .collect();
    write_table(
        page,
        "Parameters",
        ["Parameter", "In", "Meaning"],
        &parameters,
    );
    let answers: Vec<[String; 3]> = entries(&described["responses"])
        .filter(|(status, _)| *status != "default")
        .map(|(status, answer)| {
            [
                escaped(status),
                prose(text(&answer["description"])),
                bodies(&answer["content"]),
            ]
        })
        .collect();
    let body = bodies(&described["requestBody"]["content"]);
    if !body.is_empty() {
        let _ = write!(page, "<p>Body: {body}</p>");
    }
    write_table(page, "Answers", ["Status", "Meaning", "Body"], &answers);
    page.push_str("</div></article>");
}

/// The shapes a body may have; other types than JSON say which.
fn bodies(content: &Value) -> String {
    let bodies: Vec<String> = entries(content)
        .map(|(kind, body)| match kind {
            "application/json" => shape(&body["schema"]),
            kind => format!(
                "{} as <code>{}</code>",
                shape(&body["schema"]),
                escaped(kind)
            ),
        })
        .collect();
    bodies.join(", ")
}

fn write_table(page: &mut String, caption: &str, heads: [&str; 3], rows: &[[String; 3]]) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(
        page,
        "<div class=\"table-wrap\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\"><table class=\"table\">\
         <caption class=\"sr-only\">{caption}</caption><thead><tr>"
    );
    for head in heads {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{cell}</td>");
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
}

fn write_shape(page: &mut String, name: &str, schema: &Value) {
    let name = escaped(name);
    let _ = write!(
        page,
        "<article class=\"panel\"><div class=\"panel-head\"><h3 id=\"shape-{name}\">{name}</h3></div>\
         <div class=\"panel-body stack\">"
    );
    let about = text(&schema["description"]);
    if !about.is_empty() {
        let _ = write!(page, "<p>{}</p>", prose(about));
    }
    let mut rows = Vec::new();
    collect_members(schema, &mut rows);
    if rows.is_empty() {
        let _ = write!(page, "<p>{}</p>", shape(schema));
    }
    write_table(page, "Members", ["Member", "Type", "Meaning"], &rows);
    page.push_str("</div></article>");
}

/// The members of an object, and of those it is made of.
fn collect_members(schema: &Value, rows: &mut Vec<[String; 3]>) {
    for part in items(&schema["allOf"]) {
        if part["$ref"].is_string() {
            rows.push([String::new(), shape(part), "all its members".to_owned()]);
        } else {
            collect_members(part, rows);
        }
    }
    for (name, member) in entries(&schema["properties"]) {
        let is_required = items(&schema["required"]).any(|required| required == name);
        rows.push([
            format!(
                "<code>{}</code>{}",
                escaped(name),
                if is_required { "" } else { "?" }
            ),
            shape(member),
            prose(text(&member["description"])),
        ]);
    }
}

/// A type in a few words; named ones are links.
fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    let any = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find(|member| schema[**member].is_array());
    if let Some(member) = any {
        let kinds: Vec<String> = items(&schema[*member]).map(shape).collect();
        return kinds.join(if *member == "allOf" { " and " } else { " or " });
    }
    let words: Vec<String> = items(&schema["enum"])
        .map(|word| format!("<code>{}</code>", escaped(text(word))))
        .collect();
    if !words.is_empty() {
        return words.join(" · ");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        several => items(several).map(text).collect(),
    };
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|kind| match kind {
            "array" => format!("list of {}", shape(&schema["items"])),
            "object" if schema["properties"].is_object() => {
                let members: Vec<String> = entries(&schema["properties"])
                    .map(|(name, member)| {
                        format!("<code>{}</code>: {}", escaped(name), shape(member))
                    })
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }
            "string" => match text(&schema["format"]) {
                "" => "string".to_owned(),
                format => format!("string ({})", escaped(format)),
            },
            kind => escaped(kind),
        })
        .collect();
    if kinds.is_empty() {
        "any JSON".to_owned()
    } else {
        kinds.join(" or ")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Escaped, with what stands between backticks as code.
fn prose(text: &str) -> String {
    text.split('`')
        .enumerate()
        .fold(String::new(), |mut html, (index, part)| {
            let part = escaped(part);
            if index % 2 == 1 {
                let _ = write!(html, "<code class=\"inline\">{part}</code>");
            } else {
                html.push_str(&part);
            }
            html
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_operation_and_nothing_that_runs() {
        let page = write_page(description());
        for (path, operations) in entries(&description()["paths"]) {
            assert!(page.contains(&escaped(path)), "{path}");
            for (_, operation) in entries(operations) {
                let id = format!("id=\"{}\"", text(&operation["operationId"]));
                assert!(page.contains(&id), "{id}");
            }
        }
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("<style"));
        for link in page.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{target}\"")), "{target}");
        }
    }

    #[test]
    fn what_is_said_cannot_become_markup() {
        assert_eq!(
            prose("a < `b & c`"),
            "a &lt; <code class=\"inline\">b &amp; c</code>"
        );
    }
}
