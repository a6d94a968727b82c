//! Every route beside reads and metrics, once: for the router and for `/openapi.json`.

use axum::Router;
use axum::routing::{delete, get, post, put};
use schemars::generate::SchemaGenerator;
use schemars::{Schema, json_schema};

use super::openapi::{Operation, Parameter, Shape, Status, of};
use super::{
    budget, calls, health, history, job_view, jobs, jobs_many, jobs_request, lanes, openapi,
    process_pending, resources, root, sort,
};
use crate::app::App;

macro_rules! routes {
    ($($method:ident $path:literal $handler:path => $operation:expr;)*) => {
        /// Everything but reads and metrics.
        pub(crate) fn routes() -> Router<App> {
            Router::new()$(.route($path, $method($handler)))*
                .route("/page/{part}", get(root::part))
                // axum answers HEAD by GET, which would enqueue without showing what.
                .route(
                    "/api/jobs/process-pending",
                    axum::routing::head(process_pending::refuse_head),
                )
        }

        /// Path, method and description of each.
        pub(super) static OPERATIONS: &[(&str, &str, Operation)] =
            &[$(($path, stringify!($method), $operation)),*];
    };
}

routes! {
    get "/" root::index => open("The operator's page", &[("200", Shape::Text("text/html"))]);
    get "/openapi.json" openapi::show => open("This document", &[("200", Shape::Json(anything))]);
    get "/healthz" health::alive => open("Is the process alive?", &[("200", Shape::Json(of::<health::Health>))]);
    get "/readyz" health::ready => Operation {
        refuses: &["503"],
        ..open("Can it do its work?", &[("200", Shape::Json(of::<health::Health>))])
    };
    post "/api/jobs/process-pending" process_pending::run => Operation {
        parameters: &[DEBUG],
        answers: &[("202", Shape::Json(of::<process_pending::Answer>))],
        ..guarded("Enqueue whatever is due")
    };
    get "/api/jobs/process-pending" process_pending::run => Operation {
        parameters: &[DEBUG],
        answers: &[("202", Shape::Json(of::<process_pending::Answer>))],
        ..guarded("Enqueue whatever is due, for services that only know GET")
    };
    post "/api/jobs" jobs::create => Operation {
        takes: Some(Shape::Json(one_or_several)),
        needs_body: true,
        answers: &[
            ("202", Shape::Json(made_one_or_several)),
            ("200", Shape::Json(made_one_or_several)),
        ],
        refuses: &["400", "413", "422"],
        ..guarded("Enqueue a job, or an array of them: all or none")
    };
    get "/api/jobs" jobs::list => Operation {
        parameters: &[
            query("status", "only these", of::<Status>),
            query("lane", "of this lane", text),
            query("kind", "of this kind", text),
            LIMIT,
            CURSOR,
        ],
        answers: &[("200", Shape::Json(of::<jobs::Page>))],
        refuses: &["422"],
        ..guarded("Jobs, newest first, a page at a time")
    };
    post "/api/jobs/retry" jobs_many::retry => Operation {
        takes: Some(Shape::Json(of::<jobs_many::Wanted>)),
        needs_body: true,
        answers: &[("200", Shape::Json(of::<jobs_many::Round<shared::store::Retried>>))],
        refuses: &["400", "413", "422"],
        ..guarded("Let all failed and cancelled jobs that fit wait again")
    };
    post "/api/jobs/cancel" jobs_many::cancel => Operation {
        takes: Some(Shape::Json(of::<jobs_many::Wanted>)),
        needs_body: true,
        answers: &[("200", Shape::Json(of::<jobs_many::Round<shared::store::Cancelled>>))],
        refuses: &["400", "413", "422"],
        ..guarded("Cancel all jobs that fit")
    };
    get "/api/jobs/{id}" jobs::show => Operation {
        parameters: &[ID],
        answers: &[("200", Shape::Json(of::<job_view::JobView>))],
        refuses: &["404"],
        ..guarded("One job, with the errors of all its attempts")
    };
    post "/api/jobs/{id}/retry" jobs::retry => Operation {
        parameters: &[ID],
        answers: &[("200", Shape::Json(of::<job_view::JobView>))],
        refuses: &["404", "409"],
        ..guarded("Let a failed or cancelled job wait again")
    };
    post "/api/jobs/{id}/cancel" jobs::cancel => Operation {
        parameters: &[ID],
        answers: &[
            ("200", Shape::Json(of::<job_view::JobView>)),
            ("202", Shape::Json(of::<job_view::JobView>)),
        ],
        refuses: &["404", "409"],
        ..guarded("Cancel a pending job, or ask a running one to stop")
    };
    get "/api/budget" budget::show => Operation {
        answers: &[("200", Shape::Json(of::<budget::Budget>))],
        ..guarded("What stands against each limit")
    };
    get "/api/budget/history" history::show => Operation {
        parameters: &[
            Parameter { required: true, example: Some("coinmarketcap"), ..query("provider", "whose limit", text) },
            Parameter { required: true, example: Some("month"), ..query("limit", "its name", text) },
        ],
        answers: &[("200", Shape::Json(of::<history::History>))],
        refuses: &["404", "422"],
        ..guarded("How the current window of a limit has filled")
    };
    get "/api/calls" calls::list => Operation {
        parameters: &[query("provider", "of this provider", text), LIMIT, CURSOR],
        answers: &[("200", Shape::Json(of::<calls::Page>))],
        refuses: &["422"],
        ..guarded("The ledger, newest first, a page at a time")
    };
    get "/api/resources" resources::list => Operation {
        parameters: &[
            query("provider", "of this provider", text),
            query("tracked", "tracked ones only, or untracked ones only", of::<bool>),
            query("search", "with this text in the key", text),
            query("sort", "by key, or what needs a look first", of::<sort::Sort>),
            query("reverse", "the other way round; what has no value stays last", of::<bool>),
            LIMIT,
            CURSOR,
        ],
        answers: &[("200", Shape::Json(of::<resources::Page>))],
        refuses: &["422"],
        ..guarded("What is cached and tracked, with ages")
    };
    put "/api/resources/{*key}" resources::track => Operation {
        parameters: &[RESOURCE],
        takes: Some(Shape::Json(of::<resources::Wanted>)),
        answers: &[("200", Shape::Json(of::<resources::Tracked>))],
        refuses: &["400", "413", "422"],
        ..guarded("Refresh a resource ahead of need")
    };
    delete "/api/resources/{*key}" resources::untrack => Operation {
        parameters: &[RESOURCE],
        answers: &[("204", Shape::Empty)],
        refuses: &["404", "422"],
        ..guarded("Stop refreshing a resource ahead of need")
    };
    get "/api/lanes" lanes::list => Operation {
        answers: &[("200", Shape::Json(of::<lanes::Lanes>))],
        ..guarded("Which lanes are open, and why others are not")
    };
    post "/api/lanes/{lane}/open" lanes::open => Operation {
        parameters: &[LANE],
        answers: &[("200", Shape::Json(of::<lanes::LaneView>))],
        refuses: &["404"],
        ..guarded("Let a lane take calls again")
    };
    post "/api/lanes/{lane}/close" lanes::close => Operation {
        parameters: &[LANE],
        takes: Some(Shape::Json(of::<lanes::Closing>)),
        answers: &[("200", Shape::Json(of::<lanes::LaneView>))],
        refuses: &["400", "404", "413", "422"],
        ..guarded("Keep a lane from taking calls")
    };
}

const DEBUG: Parameter = query("debug", "true adds the keys of what was enqueued", text);
const CURSOR: Parameter = query("cursor", "what the page before said under next", text);
const LIMIT: Parameter = query("limit", "at most so many", page_size);
const ID: Parameter = path("id", "of the job");
const LANE: Parameter = Parameter {
    example: Some("local"),
    ..path("lane", "its name: a provider's, or local")
};
const RESOURCE: Parameter = Parameter {
    example: Some("coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1"),
    ..path("key", "of the resource, percent-encoded or as it is")
};

const fn open(summary: &'static str, answers: &'static [(&'static str, Shape)]) -> Operation {
    Operation {
        answers,
        ..bare(summary, false)
    }
}

const fn guarded(summary: &'static str) -> Operation {
    bare(summary, true)
}

const fn bare(summary: &'static str, guarded: bool) -> Operation {
    Operation {
        summary,
        guarded,
        parameters: &[],
        takes: None,
        needs_body: false,
        answers: &[],
        refuses: &[],
    }
}

const fn query(
    name: &'static str,
    help: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
) -> Parameter {
    Parameter {
        name,
        place: "query",
        help,
        schema,
        required: false,
        example: None,
    }
}

const fn path(name: &'static str, help: &'static str) -> Parameter {
    Parameter {
        name,
        place: "path",
        help,
        schema: text,
        required: true,
        example: None,
    }
}

fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

fn page_size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 500 })
}

fn one_or_several(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<jobs_request::JobBody>();
    json_schema!({ "oneOf": [one, { "type": "array", "items": one }] })
}

fn made_one_or_several(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<jobs::Created>();
    json_schema!({ "oneOf": [one, { "type": "array", "items": one }] })
}
