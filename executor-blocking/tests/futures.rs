//! Futures other than the connection within `block_on`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::io::Write as _;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use lambda_runtime_blocking::{Blocking, Executor as _, Spawn as _, Tcp, Transport as _, block_on};

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
    block_on(woken);
}

#[test]
fn a_sleep_ends_while_another_continues() {
    let mut short = pin!(Blocking.sleep(Duration::from_millis(1)));
    let mut long = pin!(Blocking.sleep(Duration::MAX));
    let first = poll_fn(|cx| match long.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready("long"),
        Poll::Pending => short.as_mut().poll(cx).map(|()| "short"),
    });
    assert_eq!(block_on(first), "short");
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    let mut turns = 0;
    let counting = poll_fn(|cx| {
        turns += 1;
        cx.waker().wake_by_ref();
        if turns == 1000 { Poll::Ready(turns) } else { Poll::Pending }
    });
    assert_eq!(block_on(counting), 1000);
}

#[test]
fn a_task_ends_with_its_result_or_the_message_of_its_panic() {
    let sleeping = Blocking.spawn(async { Blocking.sleep(Duration::from_millis(1)).await });
    assert_eq!(block_on(sleeping), Ok(()));
    let panicking = Blocking.spawn(async { panic!("no apples left") });
    assert_eq!(block_on(panicking), Err::<Infallible, _>("no apples left".to_owned()));
}

#[test]
fn a_dropped_sleep_does_not_wake_the_task() {
    let mut end = pin!(Blocking.sleep(Duration::from_millis(20)));
    let mut turns = 0;
    block_on(poll_fn(|cx| {
        turns += 1;
        if turns == 1 {
            let _ = pin!(Blocking.sleep(Duration::from_millis(1))).poll(cx);
        }
        end.as_mut().poll(cx)
    }));
    assert!(turns <= 2, "{turns} turns");
}

/// A connection on which nothing ever arrives.
fn silent() -> (TcpListener, Tcp) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = block_on(Blocking.connect("127.0.0.1", port)).unwrap();
    (listener, tcp)
}

#[test]
fn a_read_does_not_block_if_another_thread_or_a_sleep_can_wake_the_task() {
    let (_listener, mut tcp) = silent();
    for before in [true, false] {
        let (sender, mut receiver) = futures_channel::oneshot::channel();
        let mut sender = Some(sender);
        let received = poll_fn(|cx| {
            if before && let Poll::Ready(received) = Pin::new(&mut receiver).poll(cx) {
                return Poll::Ready(received);
            }
            assert!(tcp.poll_read(cx, &mut [0; 8]).is_pending());
            let received = Pin::new(&mut receiver).poll(cx);
            // The thread starts when the receiver is registered.
            if let Some(sender) = sender.take() {
                thread::spawn(|| sender.send("received"));
            }
            received
        });
        assert_eq!(block_on(received), Ok("received"));
    }

    let mut sleep = pin!(Blocking.sleep(Duration::from_millis(1)));
    block_on(poll_fn(|cx| {
        assert!(tcp.poll_read(cx, &mut [0; 8]).is_pending());
        sleep.as_mut().poll(cx)
    }));
}

#[test]
fn a_read_ends_a_wait_for_other_futures_and_a_nested_block_on_does_not_interfere() {
    let (listener, mut tcp) = silent();
    let (mut peer, _) = listener.accept().unwrap();
    let mut other = pin!(std::future::pending::<()>());
    let mut turns = 0;
    let mut buf = [0; 8];
    let read = block_on(poll_fn(|cx| {
        turns += 1;
        if turns == 2 {
            peer.write_all(b"arrived").unwrap();
        }
        block_on(async { Blocking.sleep(Duration::from_millis(1)).await });
        assert!(other.as_mut().poll(cx).is_pending());
        let read = tcp.poll_read(cx, &mut buf);
        if turns == 1 {
            cx.waker().wake_by_ref();
        }
        read
    }));
    assert_eq!(&buf[..read.unwrap()], b"arrived");
}
