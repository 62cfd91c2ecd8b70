use bare_blocking::{Blocking, run};

fn main() -> std::io::Result<()> {
    run(bare::echo(Blocking::connect()?))
}
