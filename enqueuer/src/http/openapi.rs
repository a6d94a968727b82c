//! `GET /openapi.json`: what the routes take and answer, for programs.
//!
//! The document is made from the list of routes in [`super::routes`], which is what the
//! router is made from too, and from the types that handlers read and write. So it cannot
//! name a route that is not there, or leave one out. `docs/openapi.json` is a copy of it,
//! and a test compares.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::OPERATIONS;
use crate::problem::Body as ProblemBody;

/// The statuses of a job, as the document names them.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes shared::model::JobStatus")]
pub(super) enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// One route with one method, as the document shows it.
pub(super) struct Operation {
    pub(super) summary: &'static str,
    /// Whether it asks for `JOBS_API_SECRET`.
    pub(super) guarded: bool,
    pub(super) parameters: &'static [Parameter],
    /// The body that it takes, if any.
    pub(super) takes: Option<Shape>,
    /// Whether it does nothing without one.
    pub(super) needs_body: bool,
    /// The statuses of success, each with what is answered.
    pub(super) answers: &'static [(&'static str, Shape)],
    /// The statuses of problems that are this route's own.
    pub(super) refuses: &'static [&'static str],
}

/// A parameter of the path or of the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) help: &'static str,
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(super) required: bool,
    /// One that makes sense with the example configuration.
    pub(super) example: Option<&'static str>,
}

/// What a body holds.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// JSON of this type.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this media type.
    Text(&'static str),
    /// Nothing.
    Empty,
}

/// The schema of a type, to be put into the tables of routes.
pub(super) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The document.
pub(super) async fn show() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| format!("{:#}\n", document()));
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (kind, text.as_str())
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut generator = settings
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for (path, method, operation) in OPERATIONS {
        let path = path.replace("{*", "{");
        let described = describe(&path, method, operation, &mut generator);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[*method] = described;
    }
    let _ = generator.subschema_for::<ProblemBody>();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Larder",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Keeps answers of priced APIs and refreshes them within a budget",
            "description": "For operators and cron. Readers ask `/proxy/{provider}/…`, which answers in the provider's \
                            own words and takes its parameters: its documentation holds there.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "operator": { "type": "http", "scheme": "bearer", "description": "JOBS_API_SECRET" },
            },
            "responses": {
                "Problem": {
                    "description": "Why not; `type` is stable",
                    "content": { "application/problem+json": {
                        "schema": { "$ref": "#/components/schemas/Problem" },
                    } },
                },
            },
        },
    })
}

fn describe(
    path: &str,
    method: &str,
    operation: &Operation,
    generator: &mut SchemaGenerator,
) -> Value {
    let mut responses = Map::new();
    for (status, shape) in operation.answers {
        let mut answer = json!({ "description": "Done" });
        if let Some(content) = content(*shape, generator) {
            answer["content"] = content;
        }
        responses.insert((*status).to_owned(), answer);
    }
    // The secret is wrong, the address is not allowed, the database is away, or it takes
    // longer than `enqueuer.request_timeout`.
    let guards: &[&str] = match operation.guarded {
        true => &["401", "403", "503", "504"],
        false => &[],
    };
    let problem = || json!({ "$ref": "#/components/responses/Problem" });
    for status in operation.refuses.iter().chain(guards) {
        responses.insert((*status).to_owned(), problem());
    }
    let id = format!("{method}{}", path.replace(['/', '{', '}', '.', '-'], "_"));
    let mut described = json!({
        "operationId": id.trim_end_matches('_'),
        "summary": operation.summary,
        "responses": responses,
    });
    if operation.guarded {
        described["security"] = json!([{ "operator": [] }]);
    }
    if !operation.parameters.is_empty() {
        let shown = operation.parameters.iter();
        described["parameters"] = shown.map(|known| parameter(known, generator)).collect();
    }
    if let Some(content) = operation.takes.and_then(|shape| content(shape, generator)) {
        described["requestBody"] = json!({ "content": content, "required": operation.needs_body });
    }
    described
}

fn parameter(known: &Parameter, generator: &mut SchemaGenerator) -> Value {
    let schema = (known.schema)(generator);
    // An empty parameter of the query is as if it were not given, unless it must be.
    let schema = match known.place == "query" && !known.required {
        true => json!({ "anyOf": [schema, { "const": "" }] }),
        false => schema.to_value(),
    };
    let mut described = json!({
        "name": known.name,
        "in": known.place,
        "required": known.required,
        "description": known.help,
        "schema": schema,
    });
    if let Some(example) = known.example {
        described["example"] = example.into();
    }
    described
}

fn content(shape: Shape, generator: &mut SchemaGenerator) -> Option<Value> {
    match shape {
        Shape::Json(schema) => Some(json!({ "application/json": { "schema": schema(generator) } })),
        Shape::Text(kind) => Some(json!({ kind: { "schema": { "type": "string" } } })),
        Shape::Empty => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_in_docs_is_what_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let made = format!("{:#}\n", document());
        if std::env::var_os("LARDER_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(
            kept == made,
            "LARDER_BLESS=1 cargo test -p enqueuer renews docs/openapi.json"
        );
    }

    #[test]
    fn every_route_for_operators_says_that_it_is_guarded() {
        for (path, method, operation) in OPERATIONS {
            assert_eq!(
                path.starts_with("/api/"),
                operation.guarded,
                "{method} {path}"
            );
        }
    }
}
