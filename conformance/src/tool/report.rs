//! The results, as text, JSON and Markdown.

use std::ffi::OsString;
use std::fmt::{self, Write as _};

use conformance::{Failure, Level, Scenario};
use serde_json::{Value, json};

/// A scenario and its result.
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) verdict: Verdict,
}

/// The result of a scenario.
pub(crate) enum Verdict {
    Passed,
    Failed(Failure),
    /// The runtime lacks this feature.
    NotApplicable(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { id, title, level, source, .. } = &self.scenario;
        let level = level.to_string();
        match &self.verdict {
            Verdict::Passed => writeln!(f, "passed  {level:6}  {id}: {title}"),
            Verdict::NotApplicable(feature) => {
                writeln!(f, "n/a     {level:6}  {id}: not applicable without {feature}")
            }
            Verdict::Failed(Failure { reason, transcript }) => {
                writeln!(f, "FAILED  {level:6}  {id}: {title}")?;
                for line in reason.lines().chain(transcript.to_string().lines()) {
                    writeln!(f, "        {line}")?;
                }
                writeln!(f, "        source: {source}")
            }
        }
    }
}

impl Outcome {
    /// The reason of a failure, in one line.
    fn sentence(&self) -> Option<String> {
        const LENGTH: usize = 300;
        let Verdict::Failed(Failure { reason, transcript }) = &self.verdict else { return None };
        // A request is shown with its headers and its body on further lines.
        let lines = reason.lines().filter(|line| !line.starts_with(' ') && !line.starts_with("record: "));
        let mut sentence = lines.collect::<Vec<_>>().join("; ");
        if let Some(Err(end)) = &transcript.end {
            let _ = write!(sentence, " ({end})");
        }
        if let Some((at, _)) = sentence.char_indices().nth(LENGTH) {
            sentence.truncate(at);
            sentence.push('…');
        }
        Some(sentence)
    }

    fn json(&self) -> Value {
        let Scenario { id, title, level, source, .. } = &self.scenario;
        let result = match &self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::NotApplicable(_) => "not applicable",
        };
        json!({
            "id": id,
            "title": title,
            "level": level.to_string(),
            "source": source.to_string(),
            "result": result,
            "reason": self.sentence(),
        })
    }
}

/// All results.
pub(crate) struct Report {
    pub(crate) command: Vec<OsString>,
    pub(crate) outcomes: Vec<Outcome>,
}

const LEVELS: [Level; 3] = [Level::Must, Level::Should, Level::May];

impl Report {
    pub(crate) fn all_passed(&self) -> bool {
        !self.outcomes.iter().any(|it| matches!(it.verdict, Verdict::Failed(_)))
    }

    /// The number of scenarios of a level that have passed, and the number of applicable ones.
    fn score(&self, level: Level) -> (usize, usize) {
        let count = |counts: fn(&Verdict) -> bool| {
            self.outcomes.iter().filter(|it| it.scenario.level == level && counts(&it.verdict)).count()
        };
        let passed = count(|verdict| matches!(verdict, Verdict::Passed));
        (passed, passed + count(|verdict| matches!(verdict, Verdict::Failed(_))))
    }

    fn not_applicable(&self) -> usize {
        self.outcomes.iter().filter(|it| matches!(it.verdict, Verdict::NotApplicable(_))).count()
    }

    pub(crate) fn summary(&self) -> String {
        let [must, should, may] = LEVELS.map(|level| {
            let (passed, applicable) = self.score(level);
            format!("{level} {passed} of {applicable}")
        });
        format!("{must}, {should}, {may}; {} not applicable\n", self.not_applicable())
    }

    pub(crate) fn json(&self) -> String {
        let score = |level| {
            let (passed, applicable) = self.score(level);
            json!({"passed": passed, "applicable": applicable})
        };
        let command: Vec<_> = self.command.iter().map(|it| it.to_string_lossy()).collect();
        let value = json!({
            "tool": concat!("lambda-conformance ", env!("CARGO_PKG_VERSION")),
            "command": command,
            "must": score(Level::Must),
            "should": score(Level::Should),
            "may": score(Level::May),
            "notApplicable": self.not_applicable(),
            "scenarios": self.outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }

    pub(crate) fn markdown(&self) -> String {
        let command: Vec<_> = self.command.iter().map(|it| it.to_string_lossy()).collect();
        let mut text =
            format!("# Conformance\n\n`{}`\n\n| level | passed | applicable |\n|---|---|---|\n", command.join(" "));
        for level in LEVELS {
            let (passed, applicable) = self.score(level);
            let _ = writeln!(text, "| *{level}* | {passed} | {applicable} |");
        }
        let _ = writeln!(text, "\n{} scenarios are not applicable.", self.not_applicable());
        if !self.all_passed() {
            text.push_str("\n| failed | level | expected behaviour | found |\n|---|---|---|---|\n");
        }
        for outcome in &self.outcomes {
            if let Some(sentence) = outcome.sentence() {
                let Scenario { id, title, level, source, .. } = &outcome.scenario;
                let cell = |text: &str| text.replace('|', "\\|");
                let _ = writeln!(text, "| `{id}` | {level} | {} ({source}) | {} |", cell(title), cell(&sentence));
            }
        }
        text
    }
}

/// The scenarios, and how many others run in-process only.
pub(crate) fn list(scenarios: &[Scenario], in_process: usize) -> String {
    let mut text = String::new();
    for Scenario { id, title, level, source, .. } in scenarios {
        let _ = writeln!(text, "{:6}  {id}: {title} ({source})", level.to_string());
    }
    let _ = writeln!(
        text,
        "{} scenarios; {in_process} others are about types or choices of Rust runtimes, and need no process",
        scenarios.len()
    );
    text
}
