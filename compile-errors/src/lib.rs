//! Checks the compiler's errors for mistakes in handlers, and that `docs/compile-errors.md` shows them.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Write as _, stderr};
    use std::process::Command;
    use std::sync::LazyLock;

    use serde_json::Value;

    /// The only version checked, because messages and counts differ between versions of the compiler.
    const RUSTC: &str = "rustc 1.95.";

    /// A program in `cases`, its error message, and the number of errors at its calls of `run`, `run_concurrent` and
    /// `Runtime::new`.
    struct Case {
        name: &'static str,
        message: &'static str,
        reports: [usize; 3],
    }

    const CASES: [Case; 6] = [
        Case {
            name: "not-deserialize",
            message: "`Order` cannot be decoded from an event: it does not implement `serde::Deserialize`",
            reports: [1, 1, 1],
        },
        Case {
            name: "not-serialize",
            message: "`Receipt` cannot be sent as a response: \
                      it neither implements `serde::Serialize` nor is a stream of bytes",
            reports: [2, 2, 1],
        },
        Case {
            name: "not-diagnostic",
            message: "`OutOfStock` cannot be the error of a handler: it does not convert into `Diagnostic`",
            reports: [1, 1, 1],
        },
        Case { name: "no-service-fn", message: NOT_A_HANDLER, reports: [3, 3, 1] },
        Case { name: "no-result", message: NOT_A_HANDLER, reports: [2, 2, 1] },
        Case { name: "not-async", message: NOT_A_HANDLER, reports: [2, 2, 1] },
    ];

    const NOT_A_HANDLER: &str = "is not a handler: expected `service_fn` of an `async fn` that returns a `Result`";

    const CALLS: [&str; 3] = ["run(", "run_concurrent(", "Runtime::new("];

    #[test]
    fn errors_name_the_missing_trait_without_hidden_paths_and_few_times() {
        let Some(errors) = &*ERRORS else { return };
        for Case { name, message, reports } in CASES {
            let errors = &errors[name];
            for error in errors {
                let text = error["message"].as_str().unwrap();
                assert!(text.contains(message), "{name}: {}", rendered(error));
                assert!(!mentions_hidden_path(error), "{name}: {}", rendered(error));
            }
            let found = CALLS.map(|call| errors.iter().filter(|error| line(error).trim().starts_with(call)).count());
            assert_eq!(found, reports, "{name}: reports at {CALLS:?}");
            assert_eq!(errors.len(), found.iter().sum::<usize>(), "{name}: reports elsewhere");
        }
    }

    #[test]
    fn the_documentation_shows_the_compilers_errors() {
        let Some(errors) = &*ERRORS else { return };
        let page = include_str!("../../docs/compile-errors.md");
        let mut shown = page.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        assert!(shown.clone().count() >= CASES.len());
        let is_printed =
            |block: &str| errors.values().flatten().any(|error| rendered(error).starts_with(block.trim_end()));
        assert_eq!(shown.find(|block| !is_printed(block)), None);
        for name in errors.keys() {
            assert!(page.contains(&format!("{name}.rs")), "docs/compile-errors.md does not show {name}");
        }
    }

    /// The compiler's errors by program; `None` if another version is installed.
    static ERRORS: LazyLock<Option<BTreeMap<String, Vec<Value>>>> = LazyLock::new(compile);

    fn compile() -> Option<BTreeMap<String, Vec<Value>>> {
        let version = Command::new("rustc").arg("--version").output().unwrap().stdout;
        let version = String::from_utf8(version).unwrap();
        if !version.starts_with(RUSTC) {
            // The test harness captures the output of `eprintln`.
            writeln!(stderr(), "skipped: expected {RUSTC}x, found {}", version.trim()).unwrap();
            return None;
        }
        let output = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--keep-going", "--message-format=json", "--package=cases", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let mut errors = BTreeMap::<_, Vec<_>>::new();
        for message in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let mut message: Value = serde_json::from_slice(message).unwrap();
            let error = message["message"].take();
            // Errors without a span are summaries.
            if error["level"] == "error" && !error["spans"].as_array().unwrap().is_empty() {
                errors.entry(message["target"]["name"].as_str().unwrap().to_owned()).or_default().push(error);
            }
        }
        assert!(!errors.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(errors)
    }

    /// Returns the error as on a terminal.
    fn rendered(error: &Value) -> &str {
        error["rendered"].as_str().unwrap()
    }

    /// Returns the source line that an error points at.
    fn line(error: &Value) -> &str {
        let spans = error["spans"].as_array().unwrap();
        spans.iter().find(|span| span["is_primary"] == true).unwrap()["text"][0]["text"].as_str().unwrap()
    }

    /// Returns whether an error or one of its notes names an item by a path through a private module of this project. Notes on
    /// the origin of a bound always do.
    fn mentions_hidden_path(error: &Value) -> bool {
        let notes = error["children"].as_array().unwrap();
        let labels = error["spans"].as_array().unwrap().iter().map(|span| &span["label"]);
        let texts = notes.iter().chain([error]).map(|note| &note["message"]).chain(labels);
        texts
            .filter_map(Value::as_str)
            .filter(|text| !text.starts_with("required by a bound in"))
            .flat_map(|text| text.split("lambda_runtime_").skip(1))
            .filter_map(|path| path.split_once("::"))
            .any(|(_crate, path)| path.starts_with(char::is_lowercase) && path.contains("::"))
    }
}
