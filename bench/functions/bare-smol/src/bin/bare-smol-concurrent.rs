use bare_smol::Tcp;
use smol::Executor;

static EXECUTOR: Executor<'_> = Executor::new();

fn main() -> std::io::Result<()> {
    for _ in 0..std::thread::available_parallelism()?.get() {
        std::thread::spawn(|| smol::block_on(EXECUTOR.run(smol::future::pending::<()>())));
    }
    let worker = || async { bare::echo(Tcp::connect().await?).await };
    let workers: Vec<_> = (0..bare::workers()).map(|_| EXECUTOR.spawn(worker())).collect();
    smol::block_on(async {
        for worker in workers {
            worker.await?;
        }
        Ok(())
    })
}
