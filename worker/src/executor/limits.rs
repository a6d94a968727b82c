//! What a reply says of the provider's limits, on its way into the budget.

use shared::provider::{RateLimitReading, RawReply, UsageReading, Window};
use shared::store::{AdmittedCall, LimitReport};

use super::Executor;

impl Executor {
    /// What a reply says of the provider's limits: all of it when that is what was asked
    /// for, and the resets that only the provider can tell.
    pub(super) fn reports(
        &self,
        call: &AdmittedCall,
        reply: &RawReply<'_>,
        limits: Vec<RateLimitReading>,
    ) -> Vec<LimitReport> {
        if self.provider.reports_usage(&call.endpoint) {
            let itself = self.provider.usage_counts_itself();
            return match self.provider.usage(reply) {
                Ok(readings) => (readings.into_iter())
                    .map(|reading| limit_report(reading, itself))
                    .collect(),
                Err(error) => {
                    tracing::warn!(provider = %self.provider.name(), call = %call.id, %error, "the provider's count cannot be read");
                    Vec::new()
                }
            };
        }
        let discovered = |name: &str| {
            let mut known = self.provider.limits().iter();
            known.any(|limit| limit.name == name && limit.window == Window::Discovered)
        };
        limits
            .into_iter()
            .filter(|reading| reading.limit.as_deref().is_some_and(discovered))
            .filter_map(header_report)
            .collect()
    }

    /// Takes reports over; one that is lost comes again with the next reply.
    pub(super) async fn take(&self, call: &AdmittedCall, reports: Vec<LimitReport>) {
        if reports.is_empty() {
            return;
        }
        let provider = self.provider.name();
        match self
            .vital
            .store
            .take_reports(provider, call.id, &reports)
            .await
        {
            Ok(taken) => {
                for report in taken.iter().filter(|report| report.risen > 0) {
                    tracing::warn!(%provider, limit = report.limit, others = report.others, risen = report.risen, "others spend on the same key");
                }
                for report in taken {
                    tracing::debug!(%provider, limit = report.limit, others = report.others, drift = report.drift, "the provider's count");
                }
                self.wake.wake_calls();
            }
            Err(error) => {
                tracing::warn!(%provider, error = %error.chain(), "cannot take over the provider's count");
            }
        }
    }
}

fn limit_report(reading: UsageReading, counts_itself: bool) -> LimitReport {
    LimitReport {
        limit: reading.limit,
        used: reading.used,
        cap: reading.cap,
        resets_at: reading.resets_at,
        resets_in: None,
        period: reading.window.map(|window| window.as_str()),
        counts_itself,
    }
}

/// What a header says of a limit; nothing without its name.
fn header_report(reading: RateLimitReading) -> Option<LimitReport> {
    let used = reading.cap.zip(reading.remaining);
    Some(LimitReport {
        limit: reading.limit?,
        used: used.map(|(cap, left)| cap.saturating_sub(left)),
        cap: reading.cap,
        resets_at: reading.resets_at,
        resets_in: reading.resets_in,
        period: None,
        counts_itself: true,
    })
}
