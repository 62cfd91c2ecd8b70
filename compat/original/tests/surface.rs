//! The tests of this project's executors, run on the original: their expectations are its behaviour.

/// `run` is a future.
macro_rules! wait {
    ($run:expr) => {
        $run.await
    };
}

#[path = "../../../executor-tokio/tests/surface/items/mod.rs"]
mod items;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
