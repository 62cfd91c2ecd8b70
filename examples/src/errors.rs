//! Custom error types: callers and alarms distinguish them by `errorType`.

use lambda_runtime_base::{Diagnostic, LambdaEvent};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub struct Order {
    item: String,
}

#[derive(Debug, thiserror::Error)]
pub enum OrderError {
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
            // Reports the causes too.
            OrderError::Prices(error) => error.into(),
        }
    }
}

pub async fn handler(event: LambdaEvent<Order>) -> Result<Value, OrderError> {
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
