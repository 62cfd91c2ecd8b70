use lambda_runtime_smol::{Error, LambdaEvent, block_on, run, service_fn, tracing};
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
    block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Request>) -> Result<Response, Error> {
    Ok(Response { message: format!("Hello, {}!", event.payload.name) })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use lambda_runtime_emulator::Emulator;
    use lambda_runtime_smol::Runtime;

    use super::*;

    #[test]
    fn a_name_is_greeted() -> Result<(), Error> {
        let emulator = Emulator::start()?;
        let address = emulator.endpoint().parse()?;
        thread::spawn(|| block_on(Runtime::new(service_fn(handler)).address(address).run()));

        let outcome = emulator.invoke(r#"{"name":"World"}"#)?;
        assert_eq!(outcome.text(), r#"{"message":"Hello, World!"}"#);
        Ok(())
    }
}
