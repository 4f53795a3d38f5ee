use domain::experiment::{Assignment, slices_in_words};

use super::{super::layers, *};

/// A draft on a prompt of its own that takes a part of the layer `checkout`.
async fn drafted(world: &World, prompt: &str, from: f64, traffic: f64) -> Experiment {
    world.prompt_with_versions(prompt, 2).await;
    world.promote(prompt, "production", 1, 5).await.unwrap();
    let change = json!({
        "name": format!("on {prompt}"), "prompt": prompt, "layer": "checkout", "traffic_from": from,
        "traffic": traffic,
    });
    planned(world, change).await
}

async fn try_start(world: &World, experiment: &Experiment) -> Result<Started> {
    let editor = world.actor(Role::Editor);
    start(&world.store, &editor, experiment.id, at(20)).await
}

#[track_caller]
fn words<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result.unwrap_err() {
        Error::Conflict { code, message } => {
            assert_eq!(code, "layer_taken");
            message
        }
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_unit_is_in_one_experiment_of_a_layer_at_most(pool: PgPool) {
    let world = World::new(pool).await;
    let editor = world.actor(Role::Editor);
    let first = drafted(&world, "one", 0.0, 0.3).await;
    let second = drafted(&world, "two", 0.2, 0.3).await;
    let third = drafted(&world, "three", 0.3, 0.2).await;
    try_start(&world, &first).await.unwrap();
    assert_eq!(
        words(try_start(&world, &second).await),
        "in the layer checkout, “on one” runs on 0 to 30 %, and this experiment would take 20 to 50 %: free is \
         30 to 100 %"
    );
    // Beside the first: they touch, and share nobody.
    try_start(&world, &third).await.unwrap();

    // Growing into the neighbour is refused as starting there is.
    let raised = raise_traffic(&world.store, &editor, first.id, 0.4, at(21)).await;
    assert!(words(raised).contains("“on three” runs on 30 to 50 %"));
    let raised = raise_traffic(&world.store, &editor, third.id, 0.8, at(21)).await;
    assert!(
        matches!(&raised, Err(Error::Invalid(errors)) if errors[0].message.contains("30 to 110 %")),
        "{raised:?}"
    );
    let third = raise_traffic(&world.store, &editor, third.id, 0.6, at(21))
        .await
        .unwrap();

    let (first, third) = (first.rules(), third.rules());
    for number in 0..2_000 {
        let unit = format!("user-{number}");
        let is_in = |rules: &domain::experiment::Rules| rules.assign(&unit) != Assignment::LeftOut;
        assert!(!(is_in(&first) && is_in(&third)), "{unit}");
    }

    // What has ended takes nothing any more; drafts never did.
    let found = layers(&world.store, &editor).await.unwrap();
    assert_eq!((found.len(), found[0].name.as_str()), (1, "checkout"));
    assert_eq!(slices_in_words(&found[0].free()), "90 to 100 %");
    stop(&world.store, &editor, first.id, "", at(30))
        .await
        .unwrap();
    stop(&world.store, &editor, third.id, "", at(30))
        .await
        .unwrap();
    try_start(&world, &second).await.unwrap();
    let found = layers(&world.store, &editor).await.unwrap();
    assert_eq!(
        slices_in_words(&found[0].free()),
        "0 to 20 % and 50 to 100 %"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn other_layers_and_none_are_in_nobodys_way(pool: PgPool) {
    let world = World::new(pool).await;
    let first = drafted(&world, "one", 0.0, 1.0).await;
    try_start(&world, &first).await.unwrap();
    for (prompt, layer) in [("two", json!("search")), ("three", Value::Null)] {
        world.prompt_with_versions(prompt, 2).await;
        world.promote(prompt, "production", 1, 5).await.unwrap();
        let change = json!({ "prompt": prompt, "layer": layer, "traffic": 1 });
        started(&world, change).await;
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn of_many_that_start_at_once_on_the_same_units_one_does(pool: PgPool) {
    let world = World::new(pool).await;
    let mut drafts = Vec::new();
    for prompt in ["one", "two", "three", "four"] {
        drafts.push(drafted(&world, prompt, 0.1, 0.5).await);
    }
    let all = tokio::join!(
        try_start(&world, &drafts[0]),
        try_start(&world, &drafts[1]),
        try_start(&world, &drafts[2]),
        try_start(&world, &drafts[3]),
    );
    let all = [all.0, all.1, all.2, all.3];
    let (started, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((started.len(), refused.len()), (1, 3));
    for one in refused {
        assert!(words(one).contains("runs on 10 to 60 %"));
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_salt_that_was_shared_before_there_were_layers_is_kept(pool: PgPool) {
    let world = world(pool).await;
    let draft = planned(&world, json!({})).await;
    // As an earlier release wrote it.
    sqlx::query("update experiment set salt = 'holdout' where experiment_id = $1")
        .bind(draft.id.0)
        .execute(&world.store.pool)
        .await
        .unwrap();
    let editor = world.actor(Role::Editor);
    change(
        &world.store,
        &editor,
        draft.id,
        &plan(json!({ "alpha": 0.1 })),
        at(11),
    )
    .await
    .unwrap();
    let running = start(&world.store, &editor, draft.id, at(20))
        .await
        .unwrap()
        .experiment;
    assert_eq!(
        (running.salt.as_str(), &running.plan.layer),
        ("holdout", &None)
    );
    let rules = running.rules();
    for number in 0..500 {
        let unit = format!("user-{number}");
        let taken = domain::experiment::draw("holdout", "traffic", &unit) < 0.5;
        assert_eq!(rules.assign(&unit) != Assignment::LeftOut, taken, "{unit}");
    }
}
