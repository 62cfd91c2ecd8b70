//! The scenarios.

mod addresses;
mod connections;
mod events;
mod failures;
mod faults;
mod happy_path;
mod headers;
mod layers;
mod lifecycle;
mod memory;
mod moved;
mod operating;
mod sources;
mod statuses;
mod streams;
mod undeliverable;

use crate::{Content, Scenario};

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    // The slowest ones start first.
    undeliverable::add(&mut all);
    connections::add(&mut all);
    memory::add(&mut all);
    happy_path::add(&mut all);
    addresses::add(&mut all);
    events::add(&mut all);
    statuses::add(&mut all);
    headers::add(&mut all);
    failures::add(&mut all);
    layers::add(&mut all);
    moved::add(&mut all);
    streams::add(&mut all);
    faults::add(&mut all);
    lifecycle::add(&mut all);
    operating::add(&mut all);
    all
}

/// The payload of a stream of this many chunks, of this many bytes each.
fn letters(chunks: usize, bytes: usize) -> Content {
    Content::Letters { chunks, bytes }
}
