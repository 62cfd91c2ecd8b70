use bare_tokio::Tcp;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    bare::echo(Tcp::connect().await?).await
}
