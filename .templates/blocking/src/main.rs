use lambda_runtime_blocking::{Error, LambdaEvent, run, sync_fn, tracing};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    name: String,
}

#[derive(Serialize)]
struct Response {
    message: String,
}

fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(sync_fn(handler))
}

fn handler(event: LambdaEvent<Request>) -> Result<Response, Error> {
    Ok(Response { message: format!("Hello, {}!", event.payload.name) })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use lambda_runtime_blocking::{Runtime, block_on};
    use lambda_runtime_emulator::Emulator;

    use super::*;

    #[test]
    fn a_name_is_greeted() -> Result<(), Error> {
        let emulator = Emulator::start()?;
        let address = emulator.endpoint().parse()?;
        thread::spawn(|| block_on(Runtime::new(sync_fn(handler)).address(address).run()));

        let outcome = emulator.invoke(r#"{"name":"World"}"#)?;
        assert_eq!(outcome.text(), r#"{"message":"Hello, World!"}"#);
        Ok(())
    }
}
