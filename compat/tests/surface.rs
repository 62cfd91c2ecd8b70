//! The façade has every item of `lambda_runtime`: it passes the tests that the original passes.

/// `run` is a future.
macro_rules! wait {
    ($run:expr) => {
        $run.await
    };
}

#[path = "../../executor-tokio/tests/surface/items/mod.rs"]
mod items;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
