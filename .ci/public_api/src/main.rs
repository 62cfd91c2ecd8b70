//! Lists the public API of crates, one line per item: `public_api RUSTDOC-DIR LISTING-DIR CRATE…`.
//!
//! Reads `RUSTDOC-DIR/CRATE.json` and writes `LISTING-DIR/CRATE.txt`. A glob re-export from a crate listed before is
//! expanded to one line per name; the items themselves are in that crate's listing.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(rustdoc), Some(listings)) = (args.next(), args.next()) else {
        return Err("usage: public_api RUSTDOC-DIR LISTING-DIR CRATE…".into());
    };
    let mut listed = BTreeMap::new();
    for name in args {
        let lines = with_names(items(&Path::new(&rustdoc).join(format!("{name}.json")))?, &listed);
        std::fs::write(Path::new(&listings).join(format!("{name}.txt")), lines.join("\n") + "\n")?;
        listed.insert(name, lines);
    }
    Ok(())
}

/// Traits and functions internal to the compiler, which differ between versions.
const INTERNAL: [&str; 6] = [
    "core::clone::TrivialClone for",
    "core::marker::Freeze for",
    "core::marker::StructuralPartialEq for",
    "core::marker::UnsafeUnpin for",
    "::assert_fields_are_eq(",
    "::assert_receiver_is_total_eq(",
];

/// Returns the items of a crate, without blanket implementations (`Into`, `Any` and so on).
fn items(json: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    let lines = api.items().map(ToString::to_string);
    Ok(lines.filter(|line| !INTERNAL.iter().any(|internal| line.contains(internal))).collect())
}

/// Returns the lines, with `pub use a::<<b::*>>` expanded to names if `b` is listed.
fn with_names(lines: Vec<String>, listed: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut named = Vec::new();
    for line in &lines {
        let glob = line.strip_prefix("pub use ").and_then(|glob| glob.strip_suffix("::*>>"));
        let Some((module, source)) = glob.and_then(|glob| glob.split_once("::<<")) else {
            named.push(line.clone());
            continue;
        };
        match source.split("::").next().and_then(|root| listed.get(root)) {
            // An item of the module shadows one of the glob.
            Some(other) => {
                let own = names(module, &lines);
                named.extend(names(source, other).difference(&own).map(|name| format!("pub use {module}::{name}")));
            }
            None => named.push(line.clone()),
        }
    }
    named
}

/// Returns the names of the items directly in a module.
fn names<'a>(module: &str, lines: &'a [String]) -> BTreeSet<&'a str> {
    let name = |line: &'a String| {
        let paths = line.contains("pub ").then(|| line.split(' ')).into_iter().flatten();
        let path = paths.filter_map(|word| word.strip_prefix(module)?.strip_prefix("::")).next()?;
        let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        (!name.is_empty() && !rest.starts_with("::")).then_some(name)
    };
    lines.iter().filter_map(name).collect()
}
