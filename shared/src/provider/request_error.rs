//! Why a question cannot be asked of a provider.

/// Why a question cannot be asked of a provider.
///
/// Values in messages are the asker's own, cut short; those of parameters that
/// may carry a key are never among them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The provider has no endpoint with this path or name.
    #[error("{provider} has no endpoint {given:?}")]
    UnknownEndpoint {
        /// Whose endpoint was asked for.
        provider: String,
        /// The path or name.
        given: String,
    },

    /// The endpoint has no such parameter.
    #[error("{endpoint} has no parameter {parameter:?}; it has {}", listed(.known))]
    UnknownParameter {
        /// The endpoint's name.
        endpoint: String,
        /// The parameter.
        parameter: String,
        /// The parameters that it has.
        known: Vec<String>,
    },

    /// A value that the parameter does not take.
    #[error("{parameter}={value:?} of {endpoint} {reason}")]
    BadValue {
        /// The endpoint's name.
        endpoint: String,
        /// The parameter.
        parameter: String,
        /// The value, cut to 64 characters.
        value: String,
        /// What the value must be.
        reason: String,
    },

    /// A parameter without which the endpoint cannot be asked is missing.
    #[error("{endpoint} needs {}", listed(.parameters))]
    Missing {
        /// The endpoint's name.
        endpoint: String,
        /// The parameter, or those of which exactly one is needed.
        parameters: Vec<String>,
    },

    /// Parameters that exclude each other.
    #[error("{endpoint} takes only one of {}", listed(.given))]
    Conflict {
        /// The endpoint's name.
        endpoint: String,
        /// Those given.
        given: Vec<String>,
    },

    /// A parameter that takes one value was given several times.
    #[error("{parameter} of {endpoint} was given more than once with different values")]
    Repeated {
        /// The endpoint's name.
        endpoint: String,
        /// The parameter.
        parameter: String,
    },

    /// More items than one question, or one call, may have.
    #[error("{endpoint} was asked for {given} items; at most {max} are answered at once")]
    TooManyItems {
        /// The endpoint's name.
        endpoint: String,
        /// Items asked for.
        given: usize,
        /// Most items.
        max: usize,
    },

    /// A call needs items, or must have none.
    #[error("{endpoint} was given the wrong number of items for one call: {given}")]
    WrongItems {
        /// The endpoint's name.
        endpoint: String,
        /// Items given.
        given: usize,
    },

    /// More text than any sensible question has.
    #[error("the query has {given} bytes; at most {max} are read")]
    TooLong {
        /// Bytes given.
        given: usize,
        /// Most bytes.
        max: usize,
    },

    /// A question whose canonical key is longer than an index can hold.
    #[error(
        "{endpoint} was asked a question whose key has {given} bytes; at most {max} are kept: ask for less at once"
    )]
    KeyTooLong {
        /// The endpoint's name.
        endpoint: String,
        /// Bytes of the key.
        given: usize,
        /// Most bytes.
        max: usize,
    },

    /// A key that names several resources where one is needed.
    #[error(
        "{given:?} names {count} resources, but only one can be meant here: write one key for each"
    )]
    SeveralResources {
        /// The key, cut to 64 characters.
        given: String,
        /// How many it names.
        count: usize,
    },

    /// The endpoint tells of the key itself and is never cached.
    #[error("{endpoint} is answered from the ledger and cannot be tracked or refreshed")]
    NotCacheable {
        /// The endpoint's name.
        endpoint: String,
    },

    /// Not in the form of a resource key or batch key.
    #[error(
        "{given:?} is not a resource of {provider}: write {provider}:/path?query or {provider}.endpoint?query"
    )]
    BadKey {
        /// The provider that was asked.
        provider: String,
        /// The key, cut to 64 characters.
        given: String,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The start of a text, short enough for a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
