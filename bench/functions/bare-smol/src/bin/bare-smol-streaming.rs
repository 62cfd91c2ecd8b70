use bare_smol::Tcp;

fn main() -> std::io::Result<()> {
    smol::block_on(async { bare::streaming(Tcp::connect().await?).await })
}
