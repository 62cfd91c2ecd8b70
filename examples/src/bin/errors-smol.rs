//! Errors with types of one's own: callers and alarms tell them apart by `errorType`.
//!
//!     cargo emulate --event '{"item":"pear"}' -- cargo run -q -p examples --bin errors-smol

use lambda_runtime_smol::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Order {
    item: String,
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("no {0} left")]
    OutOfStock(String),
    #[error("the price list cannot be read")]
    Prices(#[from] anyhow::Error),
}

impl From<OrderError> for Diagnostic {
    fn from(error: OrderError) -> Diagnostic {
        match error {
            OrderError::OutOfStock(_) => {
                Diagnostic { error_type: "OutOfStock".to_owned(), error_message: error.to_string() }
            }
            // With its causes: anyhow keeps them, and this conversion tells them.
            OrderError::Prices(error) => error.into(),
        }
    }
}

fn main() -> Result<(), Error> {
    smol::block_on(run(service_fn(handler)))
}

async fn handler(event: LambdaEvent<Order>) -> Result<Value, OrderError> {
    let item = event.payload.item;
    match item.as_str() {
        "apple" => Ok(json!({ "item": item, "price": price("1.20")? })),
        "quince" => Ok(json!({ "item": item, "price": price("a lot")? })),
        _ => Err(OrderError::OutOfStock(item)),
    }
}

fn price(text: &str) -> anyhow::Result<f64> {
    use anyhow::Context as _;
    text.parse().with_context(|| format!("the price {text:?}"))
}
