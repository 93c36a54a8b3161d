//! Statements that were put together before. Putting one together takes longer than sending it.

use std::sync::Arc;

use quick_cache::sync::Cache;
use sea_orm::{Statement, Value};

use super::{shared::Found, together::Together};

/// What a statement looks like but for the one value that differs: where shapes are the same, so are the texts.
pub type Shape = Vec<&'static str>;

/// There are as many as there are selections in the documents of the front ends.
const SHAPES: usize = 500;

pub struct Recall(Cache<Shape, Arc<Template>>);

pub struct Template {
    pub statement: Statement,
    /// Where the value that differs stands.
    pub place: usize,
    /// Those who ask for it at the same time, where the value is a list of ids.
    pub together: Together<Arc<Found>>,
}

impl Template {
    pub fn with(&self, value: &Value) -> Statement {
        let mut statement = self.statement.clone();
        if let Some(there) = statement.values.as_mut().and_then(|values| values.0.get_mut(self.place)) {
            *there = value.clone();
        }
        statement
    }
}

impl Default for Recall {
    fn default() -> Self {
        Self(Cache::new(SHAPES))
    }
}

impl Recall {
    /// The statement of this shape with this value in it.
    pub fn statement(&self, shape: Shape, value: &Value, build: impl FnOnce() -> Statement) -> Statement {
        match self.template(shape, value, build) {
            Ok(template) => template.with(value),
            Err(statement) => statement,
        }
    }

    /// The statement of this shape, whatever the value; or, where nobody knows what to replace, this one.
    pub fn template(
        &self,
        shape: Shape,
        value: &Value,
        build: impl FnOnce() -> Statement,
    ) -> Result<Arc<Template>, Statement> {
        if let Some(template) = self.0.get(&shape) {
            return Ok(template);
        }
        let statement = build();
        let values = statement.values.iter().flat_map(|values| &values.0).enumerate();
        let mut places = values.filter(|(_, there)| *there == value).map(|(place, _)| place);
        // Where it stands twice, or not at all, nobody knows what to replace.
        let (Some(place), None) = (places.next(), places.next()) else { return Err(statement) };
        let template = Arc::new(Template { statement, place, together: Together::default() });
        self.0.insert(shape, Arc::clone(&template));
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::DbBackend;

    fn statement(values: &[&str]) -> Statement {
        Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT $1, $2",
            values.iter().map(|v| Value::from(*v)),
        )
    }

    #[test]
    fn a_shape_is_put_together_once_and_carries_the_value_of_each_call() {
        let recall = Recall::default();
        let first = recall.statement(vec!["id"], &"a".into(), || statement(&["x", "a"]));
        let second = recall.statement(vec!["id"], &"b".into(), || panic!("it is known"));
        assert_eq!((first, second), (statement(&["x", "a"]), statement(&["x", "b"])));
        let other = recall.statement(vec!["id", "name"], &"b".into(), || statement(&["y", "b"]));
        assert_eq!(other, statement(&["y", "b"]));
    }

    #[test]
    fn what_stands_twice_or_nowhere_is_put_together_each_time() {
        let recall = Recall::default();
        for values in [["a", "a"], ["x", "y"]] {
            for _ in 0..2 {
                let mut built = false;
                recall.statement(vec!["id"], &"a".into(), || {
                    built = true;
                    statement(&values)
                });
                assert!(built);
            }
        }
    }
}
