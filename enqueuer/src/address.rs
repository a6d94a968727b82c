//! Where a request comes from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

/// The address at the other end of the connection.
///
/// Behind a reverse proxy that is the proxy's own: no header is believed, since anybody
/// can send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) IpAddr);

impl Address {
    /// The address in a request's parts.
    pub(crate) fn of(parts: &Parts) -> Self {
        let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let ip = known.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |known| known.0.ip());
        // ::ffff:10.0.0.1 is 10.0.0.1, also for an allow-list.
        Self(ip.to_canonical())
    }
}

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
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
