//! What pages say that no API says: put together for people from what several nouns know.

use domain::actor::Role;
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Client, TestApp, evals};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_list_of_prompts_says_what_the_gate_said_last(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let acme = app.project("acme").await;
    acme.prompt("p")
        .version(evals::content("echo"))
        .version(evals::content("deny"))
        .version(evals::content("please echo"))
        .serves("production", 1)
        .create()
        .await;
    acme.prompt("never-asked").says("hello").create().await;
    let admin = acme.admin_key().await;
    evals::provider(&admin, &provider.url()).await;
    let (suite, _) = evals::suite(&admin, "p", "golden").await;
    evals::add(&admin, &suite, &evals::echoes(20)).await;

    let viewer = acme.person(Role::Viewer).await;
    let list = async || viewer.get("/p/acme/prompts").await.text().to_owned();
    let row = async || {
        let list = list().await;
        let row = list.split(r#"href="/p/acme/prompts/p""#).nth(1).unwrap();
        row.split("</tr>").next().unwrap().to_owned()
    };
    assert!(row().await.contains("never asked"));
    for (version, word) in [(2, "fail"), (3, "pass")] {
        let body = json!({ "prompt": "p", "version": version, "suite": suite });
        let gate = evals::gate(&admin, &body).await;
        assert_eq!(gate["verdict"], word);
        let row = row().await;
        let said = format!("{word}</span>v{version}</span>");
        assert!(row.replace("<!>", "").contains(&said), "{row}");
    }
    assert_eq!(list().await.matches("never asked").count(), 1);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_problem_is_reported_to_the_suite_of_the_prompt(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("p")
        .version(evals::content("echo"))
        .create()
        .await;
    let admin = acme.admin_key().await;
    let (small, _) = evals::suite(&admin, "p", "small").await;
    let viewer = acme.person(Role::Viewer).await;
    let editor = acme.person(Role::Editor).await;
    let page = async |person: &Client| person.get("/p/acme/prompts/p").await.text().to_owned();
    assert!(!page(&viewer).await.contains("Report a problem"));
    assert!(
        page(&editor)
            .await
            .contains(&format!("/suites/{small}?case=report"))
    );
    // The larger one, until production's gate says which.
    let (large, _) = evals::suite(&admin, "p", "large").await;
    evals::add(&admin, &large, &evals::echoes(3)).await;
    assert!(
        page(&editor)
            .await
            .contains(&format!("/suites/{large}?case=report"))
    );
    let gate = json!({ "suite": "small" });
    admin
        .put("/api/v1/prompts/p/gates/production", &gate)
        .await
        .ok();
    assert!(
        page(&editor)
            .await
            .contains(&format!("/suites/{small}?case=report"))
    );
    app.stop().await;
}
