use lambda_runtime_tokio::{Error, LambdaEvent, run, service_fn, tracing};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    name: String,
}

#[derive(Serialize)]
struct Response {
    message: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Request>) -> Result<Response, Error> {
    Ok(Response { message: format!("Hello, {}!", event.payload.name) })
}

#[cfg(test)]
mod tests {
    use lambda_runtime_emulator::Emulator;
    use lambda_runtime_tokio::Runtime;

    use super::*;

    #[tokio::test]
    async fn a_name_is_greeted() -> Result<(), Error> {
        let emulator = Emulator::start()?;
        tokio::spawn(Runtime::new(service_fn(handler)).address(emulator.endpoint().parse()?).run());

        let outcome = emulator.invoke_async(r#"{"name":"World"}"#).await?;
        assert_eq!(outcome.text(), r#"{"message":"Hello, World!"}"#);
        Ok(())
    }
}
