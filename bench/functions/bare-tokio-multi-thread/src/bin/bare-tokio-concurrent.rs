use bare_tokio::Tcp;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let worker = || async { bare::echo(Tcp::connect().await?).await };
    let workers: Vec<_> = (0..bare::workers()).map(|_| tokio::spawn(worker())).collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}
