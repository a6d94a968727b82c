//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::app::App;

/// Who asks: the address at the other end of the connection, or the one that a reverse
/// proxy of `enqueuer.trusted_proxies` says.
///
/// Of `X-Forwarded-For` the last address counts that is no trusted proxy itself: each proxy
/// adds the one that it saw at the end, and anybody can write what stands before. From
/// others the header is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) IpAddr);

impl Address {
    /// The address in a request's parts.
    pub(crate) fn of(parts: &Parts, trusted: &[IpNet]) -> Self {
        let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ip = known.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |known| known.0.ip());
        // ::ffff:10.0.0.1 is 10.0.0.1, also for an allow-list.
        Self(behind(ip.to_canonical(), &parts.headers, trusted))
    }
}

fn behind(connected: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut nearest = connected;
    if !is_trusted(&nearest) {
        return nearest;
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    for line in lines.into_iter().rev() {
        for entry in line.to_str().unwrap_or_default().rsplit(',') {
            // What is no address was written by somebody who is not to be believed.
            let Some(ip) = read(entry.trim()) else {
                return nearest;
            };
            nearest = ip.to_canonical();
            if !is_trusted(&nearest) {
                return nearest;
            }
        }
    }
    nearest
}

/// An address as proxies write it: `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1`,
/// `[2001:db8::1]:1234`.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let plain = bare.unwrap_or(text).parse().ok();
    plain.or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

impl FromRequestParts<App> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts, &app.config().enqueuer.trusted_proxies))
    }
}

/// What counts as one client: of IPv6 a /64, which is what one customer gets.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let high = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(connected: &str, lines: &[&str]) -> String {
        let trusted: [IpNet; 2] = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        behind(connected.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_saw_is_believed() {
        assert_eq!(seen("203.0.113.7", &["1.2.3.4"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.5", &["203.0.113.7"]), "203.0.113.7");
        // What the client wrote itself stands before.
        assert_eq!(seen("10.0.0.5", &["127.0.0.1, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(
            seen("10.0.0.5", &["1.1.1.1", "203.0.113.7, 10.0.0.9"]),
            "203.0.113.7"
        );
        assert_eq!(
            seen("10.0.0.5", &["[2001:db8::1]:99, fd00::2"]),
            "2001:db8::1"
        );
        assert_eq!(seen("10.0.0.5", &["203.0.113.7:1234"]), "203.0.113.7");
        assert_eq!(seen("10.0.0.5", &["unknown"]), "10.0.0.5");
        assert_eq!(
            seen("10.0.0.5", &["1.2.3.4, nonsense, 10.0.0.9"]),
            "10.0.0.9"
        );
        assert_eq!(seen("10.0.0.5", &[]), "10.0.0.5");
    }
}
