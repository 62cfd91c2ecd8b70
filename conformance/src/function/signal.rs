//! Signals from the handler to the layer around it.
//!
//! Both see the event, so its JSON carries the number of the signal.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use futures_channel::oneshot;

#[derive(Default)]
struct Signals {
    last: u64,
    senders: HashMap<u64, oneshot::Sender<()>>,
}

static SIGNALS: LazyLock<Mutex<Signals>> = LazyLock::new(Mutex::default);

/// Creates a signal.
pub(super) fn create() -> (u64, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    let mut signals = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
    signals.last += 1;
    let number = signals.last;
    signals.senders.insert(number, sender);
    (number, receiver)
}

/// Sends a signal; does nothing if it was sent before.
pub(super) fn send(number: u64) {
    let sender = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner).senders.remove(&number);
    if let Some(sender) = sender {
        let _ = sender.send(());
    }
}
