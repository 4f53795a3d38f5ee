//! What keeps people safe: sessions, throttling, one-time links, headers, other people's sites.

use chrono::TimeDelta;
use domain::actor::Role;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Answer, Client, PASSWORD, TestApp, sign_in};

async fn try_to_sign_in(client: &Client, email: &str, password: &str) -> Answer {
    client
        .form("/sign-in", &[("email", email), ("password", password)])
        .await
}

#[track_caller]
fn leads_to(answer: &Answer, start: &str) {
    let location = answer.header("location").unwrap_or_default();
    assert!(location.starts_with(start), "{location} instead of {start}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_cookie_is_guarded_and_new_at_every_sign_in(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.member("ada@acme.test", Role::Viewer).await;
    let answer = try_to_sign_in(&app.anybody(), " Ada@ACME.test ", PASSWORD).await;
    leads_to(&answer, "/");
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    // Without TLS in the public address there is none to ask for.
    assert!(!cookie.contains("Secure"));
    let first = cookie.split(';').next().unwrap().to_owned();
    let client = app.anybody().with("cookie", &first);
    client.get("/api/v1/me").await.ok();

    // Signing in with a session gives another one, and the old one is worth nothing.
    let answer = try_to_sign_in(&client, "ada@acme.test", PASSWORD).await;
    let second = answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_ne!(first, second);
    client.get("/api/v1/me").await.problem(401, "unauthorized");
    let client = app.anybody().with("cookie", &second);
    client.get("/api/v1/me").await.ok();

    leads_to(&client.form("/sign-out", &[]).await, "/sign-in");
    client.get("/api/v1/me").await.problem(401, "unauthorized");
    assert_eq!(app.count("session").await, 0);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_session_that_is_not_used_ends(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let person = acme.person(Role::Viewer).await;
    person.get("/api/v1/me").await.ok();
    app.advance(TimeDelta::days(15));
    person.get("/api/v1/me").await.problem(401, "unauthorized");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn guessing_passwords_is_slowed_down(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.member("ada@acme.test", Role::Viewer).await;
    acme.member("bob@acme.test", Role::Viewer).await;
    let guess = |email: &'static str, password: &'static str| {
        let client = app.anybody();
        async move { try_to_sign_in(&client, email, password).await }
    };
    for _ in 0..10 {
        leads_to(
            &guess("ada@acme.test", "wrong").await,
            "/sign-in?error=wrong",
        );
    }
    // From now on not even the right one is looked at.
    leads_to(
        &guess("ada@acme.test", PASSWORD).await,
        "/sign-in?error=wait&seconds=900",
    );
    leads_to(&guess("bob@acme.test", PASSWORD).await, "/");
    leads_to(
        &guess("nobody@acme.test", "wrong").await,
        "/sign-in?error=wrong",
    );
    app.advance(TimeDelta::minutes(15));
    leads_to(&guess("ada@acme.test", PASSWORD).await, "/");
    assert_eq!(
        app.count("failed_sign_in where email = 'ada@acme.test'")
            .await,
        0
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_invited_person_chooses_a_password_once(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let invite = json!({ "email": "New@acme.test", "name": "New", "role": "editor" });
    let added = key.post("/api/v1/members", &invite).await.created();
    assert_eq!(added["email"], "new@acme.test");
    assert_eq!(added["has_signed_up"], false);
    let link = added["set_up_link"]
        .as_str()
        .unwrap()
        .strip_prefix("http://cueline.test")
        .unwrap()
        .to_owned();
    leads_to(
        &try_to_sign_in(&app.anybody(), "new@acme.test", "").await,
        "/sign-in?error=wrong",
    );

    let choose = |password: &'static str| {
        let (client, link) = (app.anybody(), link.clone());
        async move { client.form(&link, &[("password", password)]).await }
    };
    leads_to(&choose("short").await, &format!("{link}?error="));
    let chosen = choose(PASSWORD).await;
    leads_to(&chosen, "/");
    let cookie = chosen
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert_eq!(
        app.anybody()
            .with("cookie", cookie)
            .get("/api/v1/me")
            .await
            .ok()["role"],
        "editor"
    );
    leads_to(&choose("another password").await, &format!("{link}?error="));
    sign_in(&app, "new@acme.test")
        .await
        .get("/api/v1/me")
        .await
        .ok();

    // Somebody who has a password gets no link: it would be a way to take their account.
    let zoo = app.project("zoo").await;
    let again = zoo
        .admin_key()
        .await
        .post("/api/v1/members", &invite)
        .await
        .created();
    assert_eq!(
        (&again["has_signed_up"], &again["set_up_link"]),
        (&json!(true), &json!(null))
    );
    key.post("/api/v1/members", &invite)
        .await
        .problem(409, "member_exists");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_link_that_was_not_used_in_time_is_worth_nothing(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let invite = json!({ "email": "late@acme.test", "name": "Late", "role": "viewer" });
    let added = key.post("/api/v1/members", &invite).await.created();
    let link = added["set_up_link"]
        .as_str()
        .unwrap()
        .strip_prefix("http://cueline.test")
        .unwrap();
    app.advance(TimeDelta::days(7) + TimeDelta::seconds(1));
    leads_to(
        &app.anybody().form(link, &[("password", PASSWORD)]).await,
        &format!("{link}?error="),
    );
    // An admin makes a new one, and only the newest is good.
    let renew = format!(
        "/api/v1/members/{}/set-up-link",
        added["id"].as_str().unwrap()
    );
    let older = key.post(&renew, &json!({})).await.created();
    let newer = key.post(&renew, &json!({})).await.created();
    let secret = |added: &serde_json::Value| {
        let link = added["set_up_link"].as_str().unwrap();
        link.strip_prefix("http://cueline.test").unwrap().to_owned()
    };
    assert_ne!(secret(&older), secret(&newer));
    leads_to(
        &app.anybody()
            .form(&secret(&older), &[("password", PASSWORD)])
            .await,
        &format!("{}?error=", secret(&older)),
    );
    // Another project's admin gets none: with it they would become this person here.
    let zoo = app.project("zoo").await;
    let elsewhere = zoo.admin_key().await;
    let theirs = elsewhere.post("/api/v1/members", &invite).await.created();
    assert_eq!(
        (&theirs["has_signed_up"], &theirs["set_up_link"]),
        (&json!(false), &json!(null))
    );
    elsewhere
        .post(&renew, &json!({}))
        .await
        .problem(409, "has_account");
    elsewhere
        .delete(&format!(
            "/api/v1/members/{}",
            added["id"].as_str().unwrap()
        ))
        .await
        .is(204);
    // Out and in again makes a new one, too.
    key.delete(&format!(
        "/api/v1/members/{}",
        added["id"].as_str().unwrap()
    ))
    .await
    .is(204);
    let added = key.post("/api/v1/members", &invite).await.created();
    let link = added["set_up_link"]
        .as_str()
        .unwrap()
        .strip_prefix("http://cueline.test")
        .unwrap();
    leads_to(
        &app.anybody().form(link, &[("password", PASSWORD)]).await,
        "/",
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_changed_password_ends_all_sessions(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let id = acme.member("ada@acme.test", Role::Viewer).await;
    let (phone, laptop) = (
        sign_in(&app, "ada@acme.test").await,
        sign_in(&app, "ada@acme.test").await,
    );
    let hash = server::sign_in::hash_password("a new one, longer".to_owned())
        .await
        .unwrap();
    store::people::set_password(&app.state().store, id, &hash)
        .await
        .unwrap();
    for session in [phone, laptop] {
        session.get("/api/v1/me").await.problem(401, "unauthorized");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn somebody_who_was_taken_out_sees_nothing_more(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let id = acme.member("ada@acme.test", Role::Editor).await;
    let session = sign_in(&app, "ada@acme.test").await;
    session.get("/api/v1/prompts").await.ok();
    key.patch(
        &format!("/api/v1/members/{id}"),
        &json!({ "role": "viewer" }),
    )
    .await
    .ok();
    session
        .post("/api/v1/prompts", &json!({ "name": "a" }))
        .await
        .problem(403, "forbidden");
    key.delete(&format!("/api/v1/members/{id}")).await.is(204);
    session
        .get("/api/v1/prompts")
        .await
        .problem(404, "project_not_found");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_sites_page_cannot_use_a_session(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let person = acme.person(Role::Admin).await;
    let before = app.rows().await;
    let roll_back = json!({ "environment": "production" });
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.test"),
        ("origin", "null"),
    ];
    for (name, value) in foreign {
        let lured = person.clone().with(name, value);
        for path in [
            "/api/v1/prompts/a/rollback",
            "/api/v1/keys",
            "/sign-out",
            "/preferences",
        ] {
            lured
                .post(path, &roll_back)
                .await
                .problem(403, "cross_origin");
        }
        lured
            .delete("/api/v1/keys/x")
            .await
            .problem(403, "cross_origin");
        for (path, _) in leptos::server_fn::axum::server_fn_paths() {
            lured
                .post(path, &json!({}))
                .await
                .problem(403, "cross_origin");
        }
        // Reading across sites is the browser's to forbid: nothing here allows it.
        assert_eq!(
            lured
                .get("/api/v1/prompts")
                .await
                .header("access-control-allow-origin"),
            None
        );
    }
    assert_eq!(app.rows().await, before);
    let own = person
        .clone()
        .with("sec-fetch-site", "same-origin")
        .with("origin", "http://cueline.test");
    own.post("/api/v1/prompts/a/rollback", &roll_back)
        .await
        .ok();
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn pages_let_no_foreign_script_run(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let person = acme.person(Role::Viewer).await;
    let mut nonces = Vec::new();
    for (client, path) in [
        (&app.anybody(), "/sign-in"),
        (&person, "/"),
        (&person, "/nowhere"),
        (&person, "/"),
    ] {
        let page = client.get(path).await;
        let policy = page
            .header("content-security-policy")
            .unwrap_or_else(|| panic!("{path}: no policy"));
        for directive in [
            "default-src 'none'",
            "'wasm-unsafe-eval'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(directive), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{policy}"
        );
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned();
        for script in page.text().split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(
                tag.contains(&format!("nonce=\"{nonce}\"")) || tag.contains("src="),
                "{path}: <script{tag}>"
            );
        }
        nonces.push(nonce);
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "each page has a nonce of its own");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn answers_of_the_api_are_private_and_what_they_say(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    for path in [
        "prompts",
        "prompts/a",
        "keys",
        "members",
        "me",
        "audit",
        "prompts/none",
        "audit?format=csv",
    ] {
        let answer = key.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'"),
            "{path}"
        );
        assert!(answer.header("x-request-id").is_some(), "{path}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
    assert_eq!(
        key.get("/api/v1/prompts/a/resolve")
            .await
            .header("x-content-type-options"),
        Some("nosniff")
    );

    let docs = app.anybody().get("/api/docs").await;
    assert_eq!(
        docs.is(200).header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = docs.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';"),
        "{policy}"
    );
    assert!(
        !policy.contains("script-src") && !policy.contains("unsafe"),
        "{policy}"
    );
    app.stop().await;
}
