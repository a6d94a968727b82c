//! Names that people choose: providers, endpoints, lanes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes that a name may have.
const MAX_BYTES: usize = 48;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not a name: it must start with a to z, go on with a to z, 0 to 9 or _, \
     and have at most {MAX_BYTES} characters"
)]
pub struct BadName {
    given: String,
}

fn check(given: &str) -> Result<(), BadName> {
    let bytes = given.as_bytes();
    let starts = bytes.first().is_some_and(u8::is_ascii_lowercase);
    let rest = bytes
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_');
    if starts && rest && bytes.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(BadName {
        given: given.chars().take(MAX_BYTES).collect(),
    })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(given: String) -> Result<Self, BadName> {
                check(&given)?;
                Ok(Self(given))
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(given: &str) -> Result<Self, BadName> {
                check(given)?;
                Ok(Self(given.to_owned()))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Name of one external API with one key and one budget, such as `coinmarketcap`.
    ProviderName
);
name!(
    /// Name of a path of a provider, such as `quotes_latest`.
    EndpointName
);
name!(
    /// Name of an address that is told what changed, such as `app`.
    WebhookName
);
name!(
    /// Name of a queue: a provider's name, or `local`.
    LaneName
);

impl LaneName {
    /// The lane of jobs that call no priced API.
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// Whether this is the lane of jobs that call no priced API.
    pub fn is_local(&self) -> bool {
        self.0 == "local"
    }
}

impl From<&ProviderName> for LaneName {
    fn from(provider: &ProviderName) -> Self {
        Self(provider.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words() {
        for good in ["a", "coinmarketcap", "x2_y"] {
            assert!(good.parse::<ProviderName>().is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "_a", "a-b", "a b", "é", &"a".repeat(49)] {
            assert!(bad.parse::<ProviderName>().is_err(), "{bad}");
        }
    }
}
