//! Sample events, for `--event-template` and the status page.

/// Names and events.
pub(crate) const TEMPLATES: [(&str, &str); 5] = [
    ("function-url", include_str!("templates/function-url.json")),
    ("sqs", include_str!("templates/sqs.json")),
    ("sns", include_str!("templates/sns.json")),
    ("s3", include_str!("templates/s3.json")),
    ("eventbridge", include_str!("templates/eventbridge.json")),
];

/// The event with this name.
///
/// # Errors
///
/// The name is unknown; the error lists all names.
#[cfg(unix)]
pub(crate) fn find(name: &str) -> Result<&'static str, String> {
    let template = TEMPLATES.iter().find(|(found, _)| *found == name).map(|(_, event)| *event);
    let names = || TEMPLATES.map(|(name, _)| name).join(", ");
    template.ok_or_else(|| format!("--event-template {name}: expected one of {}", names()))
}
