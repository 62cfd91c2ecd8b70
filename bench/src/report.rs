//! The figures as markdown.

use crate::comparison::{COMPARISONS, Comparison, Goal, Limit};
use crate::figures::{Figures, Metric};
use crate::programs::Program;

/// A markdown table: the first row is its head, the first column is text, the others are numbers.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0).max(2))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, &width) in widths.iter().enumerate() {
            let cell = cell(row, column);
            text += &if column == 0 { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") };
        }
        text += "|\n";
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                text += &if column == 0 {
                    format!("|{}", "-".repeat(width + 2))
                } else {
                    format!("|{}:", "-".repeat(width + 1))
                };
            }
            text += "|\n";
        }
    }
    text
}

/// A number with thousands separators.
pub fn number(value: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    // A number that rounds to zero has no sign.
    let sign = if value < 0.0 && plain.contains(|c: char| ('1'..='9').contains(&c)) { "-" } else { "" };
    format!("{sign}{grouped}{rest}")
}

/// The table of all comparisons.
pub fn comparison(figures: &Figures) -> String {
    let head = ["", "blocking socket", "bare socket", "this runtime", "lambda_runtime", "÷ bare", "÷ lambda_runtime"];
    let mut rows = vec![head.into_iter().chain(["goal: at most", "reached"]).map(str::to_owned).collect()];
    for comparison in COMPARISONS {
        let section: Vec<_> = Metric::ALL.iter().filter_map(|&metric| row(comparison, metric, figures)).collect();
        if !section.is_empty() {
            rows.push(vec![format!("**{}** · {}", comparison.load.name, comparison.executor)]);
            rows.extend(section);
        }
    }
    markdown(&rows)
}

/// `None` if nothing was measured.
fn row(comparison: &Comparison, metric: Metric, figures: &Figures) -> Option<Vec<String>> {
    let median = |program: Option<Program>| figures.median(comparison.run(program?), metric);
    let all = [comparison.blocking, comparison.bare, comparison.ours, comparison.official].map(median);
    let [_, bare, ours, official] = all;
    if all.iter().all(Option::is_none) {
        return None;
    }
    let hidden = figures.shared_machine && metric.is_time();
    let shown = |value: Option<f64>| match value {
        Some(value) if !hidden => number(value, metric.decimals()),
        _ => "–".to_owned(),
    };
    let ratio = |to: Option<f64>| match (ours, to) {
        (Some(ours), Some(to)) if to > 0.0 => number(ours / to, 2),
        _ => String::new(),
    };
    let mut cells = vec![metric.label().to_owned()];
    cells.extend(all.map(shown));
    cells.extend([ratio(bare), ratio(official)]);
    if let Some(goal) = comparison.goals.iter().find(|goal| goal.metric == metric) {
        cells.extend([limit(goal), verdict(goal, comparison, figures).to_owned()]);
    }
    Some(cells)
}

fn limit(goal: &Goal) -> String {
    match goal.limit {
        Limit::Number(limit) => number(limit, goal.metric.decimals()),
        Limit::TimesBare(factor) => format!("{} × bare", number(factor, 2)),
        Limit::TimesOfficial(factor) => format!("{} × lambda_runtime", number(factor, 2)),
    }
}

fn verdict(goal: &Goal, comparison: &Comparison, figures: &Figures) -> &'static str {
    match goal.limit.is_reached(comparison, goal.metric, figures) {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "–",
    }
}

/// The system calls of every program that was traced, as a list.
pub fn system_calls(figures: &Figures) -> String {
    let mut runs: Vec<_> = COMPARISONS
        .iter()
        .flat_map(|comparison| comparison.programs().map(|program| comparison.run(program)))
        .collect();
    runs.sort_unstable_by_key(|&(program, load)| (load, program));
    runs.dedup();
    let mut list = String::new();
    for run in runs {
        let calls = figures.system_calls(run);
        let calls: Vec<_> = calls.iter().map(|(name, count)| format!("{name} {}", number(*count, 2))).collect();
        if !calls.is_empty() {
            let (program, load) = run;
            list += &format!("- {} · {load}: {}\n", program.bin, calls.join(", "));
        }
    }
    if list.is_empty() { list } else { format!("System calls per invocation, by name:\n\n{list}") }
}
