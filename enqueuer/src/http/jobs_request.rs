//! What the body of `POST /api/jobs` asks for: all of it is right, or all is refused.
//!
//! | body                                        | answer                         |
//! |---------------------------------------------|--------------------------------|
//! | not JSON, nested too deep, a number too big | 400 `malformed-json`           |
//! | neither an object nor an array              | 422 `invalid-field`            |
//! | more jobs than `max_jobs_per_request`       | 422 `too-many-jobs`            |
//! | an unknown kind                             | 422 `unknown-kind`             |
//! | an unknown provider, endpoint or parameter  | 422 `unknown-resource`         |
//! | an unknown field, a wrong type or value     | 422 `invalid-field`            |
//!
//! A problem in an array says at which index it is, counted from 0.

use chrono::{DateTime, Datelike, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shared::catalog::Catalog;
use shared::model::{Priority, kind};
use shared::store::JobRequest;

use crate::problem::{Kind, Problem};

/// Most bytes of a job's `args`, as JSON without spaces.
const MOST_ARGS: usize = 64 << 10;

/// What a body asks for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// One job.
    One([JobRequest; 1]),
    /// An array of jobs.
    Several(Vec<JobRequest>),
}

impl Wanted {
    pub(super) fn requests(&self) -> &[JobRequest] {
        match self {
            Self::One(one) => one,
            Self::Several(several) => several,
        }
    }
}

/// A job as it stands in a body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "kind": "refresh",
    "resource": "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1",
}))]
pub(super) struct JobBody {
    /// `refresh`, or a kind of the configuration.
    kind: String,
    /// The key of what a refresh renews.
    resource: Option<String>,
    /// What the handler of another kind is given.
    args: Option<Value>,
    /// Not before this time, in the form of RFC 3339; at once without it.
    run_at: Option<String>,
    /// The lower the number, the sooner: 10 is a reader's, 20 is the plan's.
    priority: Option<i64>,
    /// After so many failures it has failed for good.
    #[schemars(range(min = 1, max = 1000))]
    max_attempts: Option<i64>,
}

/// Reads a body.
///
/// # Errors
///
/// The first thing in it that is not right.
pub(super) fn read(body: &[u8], catalog: &Catalog) -> Result<Wanted, Problem> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?;
    match body {
        Value::Array(jobs) => {
            let most = catalog.config().enqueuer.max_jobs_per_request;
            if jobs.len() > most as usize {
                return Err(Problem::new(
                    Kind::TooManyJobs,
                    format!("there are {}; at most {most} are taken at once", jobs.len()),
                ));
            }
            let requests = jobs
                .into_iter()
                .enumerate()
                .map(|(index, job)| request(job, catalog).map_err(|it| it.at(Some(index))))
                .collect::<Result<_, _>>()?;
            Ok(Wanted::Several(requests))
        }
        job => Ok(Wanted::One([request(job, catalog)?])),
    }
}

fn request(job: Value, catalog: &Catalog) -> Result<JobRequest, Problem> {
    if !job.is_object() {
        return Err(invalid(
            "a job must be an object such as {\"kind\": \"refresh\", …}",
        ));
    }
    let job: JobBody = serde_path_to_error::deserialize(job).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." {
            String::new()
        } else {
            format!("{path}: ")
        };
        invalid(&format!("{place}{}", cut(&error.into_inner().to_string())))
    })?;
    let usual = catalog.config().queue.max_attempts;
    let request = JobRequest {
        kind: job.kind,
        resource: None,
        args: Value::Object(serde_json::Map::new()),
        class: "operator",
        priority: Priority(within("priority", job.priority, 0..=32_767, 20)?),
        run_at: job.run_at.as_deref().map(moment).transpose()?,
        max_attempts: within("max_attempts", job.max_attempts, 1..=1_000, usual.into())?,
        must_be_newer: false,
    };
    match request.kind.as_str() {
        kind::REFRESH => refresh(request, job.resource, job.args, catalog),
        kind if kind::HANDLED.iter().any(|handled| handled.name == kind) => {
            handled(request, job.resource, job.args, catalog)
        }
        other => Err(Problem::new(
            Kind::UnknownJob,
            format!(
                "{:?} is not a kind; there is: {}, {}",
                cut(other),
                kind::REFRESH,
                kind::HANDLED
                    .iter()
                    .map(|handled| handled.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )),
    }
}

/// A refresh needs a resource, and an answer from after the asking.
fn refresh(
    request: JobRequest,
    resource: Option<String>,
    args: Option<Value>,
    catalog: &Catalog,
) -> Result<JobRequest, Problem> {
    if args.is_some() {
        return Err(invalid(
            "args: a refresh takes none; name what to refresh in resource",
        ));
    }
    let key = resource.ok_or_else(|| {
        invalid("resource: a refresh needs it, such as \"coinmarketcap:/v1/cryptocurrency/map\"")
    })?;
    if key.contains('\0') {
        return Err(invalid("resource: it holds a NUL character"));
    }
    let resource = catalog
        .resource(&key)
        .map_err(|error| Problem::new(Kind::UnknownResource, error.to_string()))?;
    Ok(JobRequest {
        resource: Some(resource),
        must_be_newer: true,
        ..request
    })
}

/// A handler's job may have args: of the handler's type, and such that Postgres can keep
/// them.
fn handled(
    request: JobRequest,
    resource: Option<String>,
    args: Option<Value>,
    catalog: &Catalog,
) -> Result<JobRequest, Problem> {
    if resource.is_some() {
        return Err(invalid("resource: only a refresh takes one"));
    }
    let args = args.unwrap_or_else(|| request.args.clone());
    if !args.is_object() {
        return Err(invalid("args: it must be an object"));
    }
    let bytes = args.to_string().len();
    if bytes > MOST_ARGS {
        let detail = format!("args: it has {bytes} bytes; at most {MOST_ARGS} are kept");
        return Err(invalid(&detail));
    }
    if has_nul(&args) {
        return Err(invalid(
            "args: it holds a NUL character, which Postgres cannot keep",
        ));
    }
    catalog
        .check_args(&request.kind, &args)
        .map_err(|wrong| invalid(&format!("args: {}", cut(&wrong))))?;
    Ok(JobRequest { args, ..request })
}

fn within<T: TryFrom<i64>>(
    field: &str,
    given: Option<i64>,
    range: std::ops::RangeInclusive<i64>,
    usual: i64,
) -> Result<T, Problem> {
    let value = given.unwrap_or(usual);
    let fits = range
        .contains(&value)
        .then(|| T::try_from(value).ok())
        .flatten();
    fits.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        invalid(&format!("{field}: {value} must be from {least} to {most}"))
    })
}

fn moment(text: &str) -> Result<DateTime<Utc>, Problem> {
    let at = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    // Four digits: a later year could be stored and not be read again by everybody. A leap
    // second of the last one is stored as the next year's first.
    at.ok()
        .filter(|at| (1..=9_999).contains(&at.year()))
        .filter(|at| at.timestamp_subsec_nanos() < 1_000_000_000 || at.year() < 9_999)
        .ok_or_else(|| {
            invalid(&format!(
                "run_at: {:?} must be a moment of RFC 3339 such as 2027-01-31T08:00:00Z",
                cut(text)
            ))
        })
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidField, detail)
}

/// The start of a text, short enough for a message.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
