//! What whole windows of a provider's limits allow.

use shared::config::provider::{CalendarUnit, LimitUnit};
use shared::plan::{Means, Window};
use shared::provider::{self, Provider};

use super::MONTH;

/// What the tightest limits allow planned calls, per second, averaged over whole windows.
pub(super) fn means(of: &Provider, readers_share: f64) -> Means {
    let windows: Vec<Window> = (of.limits().iter())
        .filter(|limit| !limit.soft)
        .filter_map(|limit| {
            let length = match &limit.window {
                provider::Window::Rolling(length) => length.as_secs_f64(),
                provider::Window::Calendar { unit, .. } => match unit {
                    CalendarUnit::Minute => 60.0,
                    CalendarUnit::Hour => 3_600.0,
                    CalendarUnit::Day => 86_400.0,
                    CalendarUnit::Month => MONTH,
                },
                provider::Window::Concurrency | provider::Window::Discovered => return None,
            };
            let is_credits = limit.unit == LimitUnit::Credits;
            Some(Window {
                is_credits,
                cap: f64::from(limit.cap),
                left: f64::from(limit.cap),
                resets_in: length,
                length,
                readers_share: if is_credits { readers_share } else { 0.0 },
            })
        })
        .collect();
    Means::of(&windows)
}
