//! The same tests as for this project's executors: what they expect is what the original does.

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
