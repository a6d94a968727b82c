//! Every kind of problem, with its name, status and title.

use axum::http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $id:ident $name:literal $status:ident $title:literal;)*) => {
        /// What is wrong. The names are promised: `type` is `/problems/NAME`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$doc])* $id,)*
        }

        impl Kind {
            /// Name, HTTP status and title.
            pub(crate) const fn parts(self) -> (&'static str, StatusCode, &'static str) {
                match self {
                    $(Self::$id => ($name, StatusCode::$status, $title),)*
                }
            }

            /// Every kind.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$id),*];
        }
    };
}

kinds! {
    MalformedJson "malformed-json" BAD_REQUEST "The body is not JSON";
    BrokenBody "broken-body" BAD_REQUEST "The body could not be read";
    RefusedByProvider "refused-by-provider" BAD_REQUEST "The provider refuses the question";
    Unauthorized "unauthorized" UNAUTHORIZED "A secret is needed";
    AddressNotAllowed "address-not-allowed" FORBIDDEN "Your address may not call this";
    CacheOnly "cache-only" FORBIDDEN "Not in the cache, and readers may cause no call here";
    NotInPlan "not-in-plan" FORBIDDEN "The provider's plan does not have this endpoint";
    NotFound "not-found" NOT_FOUND "There is nothing at this path";
    NoSuchJob "no-such-job" NOT_FOUND "There is no such job";
    NoSuchLane "no-such-lane" NOT_FOUND "There is no such lane";
    NotTracked "not-tracked" NOT_FOUND "The resource is not tracked";
    UnknownProvider "unknown-provider" NOT_FOUND "There is no such provider";
    UnknownEndpoint "unknown-endpoint" NOT_FOUND "The provider has no such endpoint";
    DoesNotExist "does-not-exist" NOT_FOUND "The provider does not know it";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here";
    WrongStatus "wrong-status" CONFLICT "The job is not in a status that allows this";
    TooLarge "too-large" PAYLOAD_TOO_LARGE "The body is too large";
    UnknownJob "unknown-kind" UNPROCESSABLE_ENTITY "There is no such kind of job";
    UnknownResource "unknown-resource" UNPROCESSABLE_ENTITY "The text names no resource";
    InvalidField "invalid-field" UNPROCESSABLE_ENTITY "A field is not what it must be";
    InvalidParameter "invalid-parameter" UNPROCESSABLE_ENTITY "A parameter is not what it must be";
    TooManyJobs "too-many-jobs" UNPROCESSABLE_ENTITY "There are too many jobs in one request";
    TooManyMisses "too-many-misses" TOO_MANY_REQUESTS "Too much was asked for that is not in the cache";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong in Larder";
    RefreshFailed "refresh-failed" BAD_GATEWAY "The provider gave no usable answer";
    DatabaseAway "database-away" SERVICE_UNAVAILABLE "The database cannot be used";
    LaneClosed "lane-closed" SERVICE_UNAVAILABLE "The provider is not called at the moment";
    NotReady "not-ready" SERVICE_UNAVAILABLE "Not ready";
    Stopping "stopping" SERVICE_UNAVAILABLE "The server is stopping";
    NotCached "not-cached" GATEWAY_TIMEOUT "Not in the cache, and nothing else was asked for";
    TimedOut "timed-out" GATEWAY_TIMEOUT "The answer did not come in time";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_uri() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.parts().0).collect();
        assert!(names.iter().all(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
