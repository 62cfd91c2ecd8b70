//! Every interleaving of the two sides of the handover, explored by `loom`.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release --lib --manifest-path runtime/loom/Cargo.toml
//! ```
//!
//! `loom` reports a side that waits forever as a deadlock, so a lost wake-up fails the test.

#![cfg(all(test, loom))]

#[path = "../../src/service/responder.rs"]
mod responder;

use std::future::poll_fn;

use loom::future::block_on;
use loom::thread;
use responder::{Handover, Responder};

/// The service, on another thread: it responds and waits for the acknowledgement.
fn service(responder: Responder<u8>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        if let Ok(acknowledgement) = responder.respond(1) {
            block_on(acknowledgement);
        }
    })
}

fn outcome(handover: &Handover<u8>) -> u8 {
    block_on(poll_fn(|cx| {
        handover.forget_waker();
        handover.poll_outcome(cx)
    }))
}

#[test]
fn the_outcome_and_the_acknowledgement_arrive() {
    loom::model(|| {
        let mut handover = Handover::new();
        let service = service(handover.open());
        assert_eq!(outcome(&handover), 1);
        handover.acknowledge();
        handover.wake_service();
        service.join().unwrap();
        assert!(!handover.is_abandoned());
    });
}

#[test]
fn a_worker_that_is_dropped_releases_the_service() {
    loom::model(|| {
        let mut handover = Handover::new();
        let service = service(handover.open());
        drop(handover);
        service.join().unwrap();
    });
}

#[test]
fn a_worker_that_is_dropped_after_it_took_the_outcome_releases_the_service() {
    loom::model(|| {
        let mut handover = Handover::new();
        let service = service(handover.open());
        outcome(&handover);
        drop(handover);
        service.join().unwrap();
    });
}

#[test]
fn an_outcome_is_either_taken_or_refused() {
    loom::model(|| {
        let mut handover = Handover::new();
        let responder = handover.open();
        let service = thread::spawn(move || responder.respond(1).is_ok());
        let taken = handover.close().is_some();
        assert_eq!(service.join().unwrap(), taken);
    });
}

#[test]
fn one_of_two_concurrent_outcomes_is_accepted() {
    loom::model(|| {
        let mut handover = Handover::new();
        let responder = handover.open();
        let other = responder.clone();
        let other = thread::spawn(move || other.respond(2).is_ok());
        let first = responder.respond(1).is_ok();
        let second = other.join().unwrap();
        assert!(first != second);
        assert_eq!(handover.close(), Some(if first { 1 } else { 2 }));
    });
}

#[test]
fn a_service_that_is_dropped_early_is_noticed() {
    loom::model(|| {
        let mut handover = Handover::new();
        let responder = handover.open();
        let service = thread::spawn(move || drop(responder.respond(1)));
        assert_eq!(outcome(&handover), 1);
        service.join().unwrap();
        assert!(handover.is_abandoned());
    });
}

#[test]
fn a_leftover_service_does_not_affect_the_next_invocation() {
    loom::model(|| {
        let mut handover = Handover::new();
        let leftover = service(handover.open());
        handover.acknowledge();
        handover.wake_service();
        let next = handover.open();
        let _acknowledgement = next.respond(2).unwrap();
        assert_eq!(outcome(&handover), 2);
        leftover.join().unwrap();
        assert!(!handover.is_abandoned());
    });
}
