//! Events that the suite waits for.

/// An event that the suite waits for.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The API has played its script.
    Played,
    /// The API has received a request that the script does not allow.
    Violated,
    /// The function has ended, with this message of its error.
    Ended(Result<(), String>),
}
