//! What a handler may await within `block_on`, besides the connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use executor_blocking::{Blocking, block_on};
use lambda_runtime_base::{Executor as _, Spawn as _};

#[test]
fn another_thread_wakes_a_future() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let mut started = false;
    let woken = poll_fn(|cx| {
        if !started {
            started = true;
            let waker = cx.waker().clone();
            thread::spawn(move || {
                DONE.store(true, Ordering::SeqCst);
                waker.wake();
            });
        }
        if DONE.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    });
    block_on(woken).unwrap();
}

#[test]
fn a_sleep_ends_while_others_go_on() {
    let mut short = pin!(Blocking.sleep(Duration::from_millis(1)));
    let mut long = pin!(Blocking.sleep(Duration::MAX));
    let first = poll_fn(|cx| match long.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready("long"),
        Poll::Pending => short.as_mut().poll(cx).map(|()| "short"),
    });
    assert_eq!(block_on(first).unwrap(), "short");
}

#[test]
fn a_future_that_wakes_itself_goes_on() {
    let mut turns = 0;
    let counting = poll_fn(|cx| {
        turns += 1;
        cx.waker().wake_by_ref();
        if turns == 1000 { Poll::Ready(turns) } else { Poll::Pending }
    });
    assert_eq!(block_on(counting).unwrap(), 1000);
}

#[test]
fn a_task_ends_with_its_result_or_the_words_of_its_panic() {
    let sleeping = Blocking.spawn(async { Blocking.sleep(Duration::from_millis(1)).await });
    assert_eq!(block_on(sleeping).unwrap(), Ok(()));
    let panicking = Blocking.spawn(async { panic!("no apples left") });
    assert_eq!(block_on(panicking).unwrap(), Err::<Infallible, _>("no apples left".to_owned()));
}

#[test]
fn what_was_dropped_wakes_nobody() {
    let mut end = pin!(Blocking.sleep(Duration::from_millis(20)));
    let mut turns = 0;
    block_on(poll_fn(|cx| {
        turns += 1;
        if turns == 1 {
            let _ = pin!(Blocking.sleep(Duration::from_millis(1))).poll(cx);
        }
        end.as_mut().poll(cx)
    }))
    .unwrap();
    assert!(turns <= 2, "{turns} turns");
}
