//! That no case is kept which a scorer would compare with nothing. Held under the suite's lock, so
//! that cases and scorers cannot pass each other by.

use domain::{
    field::FieldError,
    suite::{Case, Scorer, check_all_expected, check_expected},
};
use sqlx::types::Json;

use super::Change;
use crate::{Error, Result};

impl Change {
    /// Refuses cases that the scorers leave no way to keep; every one is named.
    pub(super) fn check_cases(&self, cases: &[Case]) -> Result<()> {
        let is_one = cases.len() == 1;
        let errors: Vec<FieldError> = cases
            .iter()
            .enumerate()
            .filter_map(|(index, case)| {
                let error = check_expected(&self.scorers, case).err()?;
                Some(if is_one {
                    error
                } else {
                    FieldError::new(format!("cases[{index}].{}", error.field), error.message)
                })
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(errors))
        }
    }

    /// Refuses scorers that the cases as they are leave no way to keep.
    pub(super) async fn check_scorers(&mut self, scorers: &[Scorer]) -> Result<()> {
        // What expects something is fine with any scorer: only the rest is read.
        let rows = sqlx::query!(
            r#"select position, body as "body: Json<Case>"
               from suite_case
               where suite_id = $1 and until is null and not (body ? 'expected')
               order by position"#,
            self.id.0,
        )
        .fetch_all(self.command.db())
        .await?;
        let cases = rows.iter().map(|row| (row.position, &row.body.0));
        check_all_expected(scorers, cases).map_err(|error| Error::Invalid(vec![error]))
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        actor::Role,
        suite::{NewSuite, Origin},
    };
    use serde_json::{Value, json};
    use sqlx::PgPool;

    use super::super::*;
    use crate::testing::{World, at, name};

    fn case(value: &Value) -> Case {
        Case::parse(value, Origin::Manual).unwrap()
    }

    fn scorers(words: &[&str]) -> Vec<Scorer> {
        let items: Vec<Value> = words.iter().map(|word| json!({ "type": word })).collect();
        Scorer::parse_list("scorers", &items).unwrap()
    }

    #[track_caller]
    fn fields<T: std::fmt::Debug>(result: Result<T>) -> Vec<String> {
        match result.unwrap_err() {
            Error::Invalid(errors) => errors.into_iter().map(|error| error.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn cases_that_expect_nothing_and_pairwise_judges_do_not_meet(pool: PgPool) {
        let world = World::new(pool).await;
        let (store, editor) = (&world.store, world.actor(Role::Editor));
        world.prompt_with_versions("p", 1).await;
        let new = NewSuite {
            name: "golden".to_owned(),
            prompt: name("p"),
            scorers: scorers(&["pairwise"]),
            threshold: None,
        };
        let suite = create(store, &editor, &new, at(3)).await.unwrap().id;
        let none = case(&json!({ "variables": {} }));
        let some = case(&json!({ "variables": {}, "expected": "yes" }));

        let one = add_cases(store, &editor, suite, std::slice::from_ref(&none), at(4)).await;
        assert_eq!(fields(one), ["expected"]);
        let mixed = [some.clone(), none.clone()];
        let many = add_cases(store, &editor, suite, &mixed, at(4)).await;
        assert_eq!(fields(many), ["cases[1].expected"]);
        let kept = add_cases(store, &editor, suite, std::slice::from_ref(&some), at(4))
            .await
            .unwrap();
        let changed = change_case(store, &editor, suite, kept.cases[0], &none, None, at(5)).await;
        assert_eq!(fields(changed), ["expected"]);

        // Without the judge such cases are fine, and then the judge is not.
        set_scorers(store, &editor, suite, scorers(&["equals"]), None, at(6))
            .await
            .unwrap();
        let added = add_cases(store, &editor, suite, &[none.clone(), none], at(7))
            .await
            .unwrap();
        let pairwise = || scorers(&["pairwise"]);
        let refused = set_scorers(store, &editor, suite, pairwise(), None, at(8)).await;
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("cases 2 and 3 expect nothing"), "{words}");
        // What is gone is in nobody's way.
        for case in added.cases {
            remove_case(store, &editor, suite, case, at(9))
                .await
                .unwrap();
        }
        set_scorers(store, &editor, suite, pairwise(), None, at(10))
            .await
            .unwrap();
    }
}
