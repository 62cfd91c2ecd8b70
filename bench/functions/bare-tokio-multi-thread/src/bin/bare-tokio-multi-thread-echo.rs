use bare_tokio::Tcp;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    bare::echo(Tcp::connect().await?).await
}
