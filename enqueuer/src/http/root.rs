//! `/`: what there is.

/// One line for each route.
const ROUTES: &str = "\
Larder keeps answers of priced APIs and refreshes them within a budget.

GET  /proxy/{provider}/{path}         the provider's own answer, from the cache
GET  /healthz  /readyz  /metrics      is it alive, is it ready, what it measured

With Authorization: Bearer JOBS_API_SECRET:
POST /api/jobs/process-pending        enqueue what is due; GET does the same
POST /api/jobs                        enqueue a job, or an array of them
GET  /api/jobs  /api/jobs/{id}        jobs, newest first; one job
POST /api/jobs/{id}/retry  /cancel    try again; stop
POST /api/jobs/retry  /cancel         the same for all jobs that a filter picks
GET  /api/budget  /api/calls          what stands against each limit; the ledger
GET  /api/resources                   what is cached and tracked, with ages
PUT  /api/resources/{key}             track; DELETE untracks
POST /api/lanes/{lane}/open  /close   let a provider be called, or not
";

/// A list of the routes, for people.
pub(super) async fn show() -> &'static str {
    ROUTES
}
