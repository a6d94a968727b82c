//! A line in the log for each job that this process makes, with the id by which the
//! workers' lines speak of it.

use shared::store::Enqueued;

/// Says which jobs were made for whom; of a request for many, to those who ask for more.
pub(crate) fn enqueued(jobs: &[Enqueued], by: &'static str) {
    for Enqueued { job, is_new } in jobs {
        let (kind, resource) = (&job.kind, job.resource_key.as_deref());
        match (is_new, jobs.len()) {
            (true, 1) => tracing::info!(job = %job.id, kind, resource, by, "job enqueued"),
            (true, _) => tracing::debug!(job = %job.id, kind, resource, by, "job enqueued"),
            (false, _) => tracing::debug!(job = %job.id, kind, resource, by, "job waits already"),
        }
    }
    if jobs.len() > 1 {
        let new = jobs.iter().filter(|job| job.is_new).count();
        tracing::info!(asked = jobs.len(), new, by, "jobs enqueued");
    }
}
