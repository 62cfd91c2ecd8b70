//! Changes of files, for `--restart-on`.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Files whose changes restart the function.
pub(crate) struct Watch {
    files: Vec<(PathBuf, Stamp)>,
    /// The last change that was not handled.
    changed: Option<Instant>,
}

/// The time of the last modification and the size; `None` if the file does not exist.
type Stamp = Option<(Option<SystemTime>, u64)>;

impl Watch {
    /// Interval between checks.
    pub(crate) const INTERVAL: Duration = Duration::from_millis(200);
    /// Time without further changes, because a build writes its result in several steps.
    const SETTLED: Duration = Duration::from_millis(300);

    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        Self { files: paths.iter().map(|path| (path.clone(), stamp(path))).collect(), changed: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the time since the last change. `None` if there was none, a file is missing, or the files may still be
    /// changing.
    pub(crate) fn changed(&mut self, now: Instant) -> Option<Duration> {
        for (path, known) in &mut self.files {
            let found = stamp(path);
            if found != *known {
                *known = found;
                self.changed = Some(now);
            }
        }
        let since = now.duration_since(self.changed?);
        (since >= Self::SETTLED && self.files.iter().all(|(_, stamp)| stamp.is_some())).then_some(since)
    }

    /// Marks the last change as handled.
    pub(crate) fn clear(&mut self) {
        self.changed = None;
    }
}

fn stamp(path: &PathBuf) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len()))
}
