//! A request of API Gateway (HTTP API) or a function URL, without a web framework: a greeting for the last segment of the
//! path.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime_tokio::{Error, LambdaEvent};

pub async fn handler(event: LambdaEvent<ApiGatewayV2httpRequest>) -> Result<ApiGatewayV2httpResponse, Error> {
    let path = event.payload.raw_path.unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = 200;
    response.body = Some(format!("Hello, {name}!").into());
    Ok(response)
}
