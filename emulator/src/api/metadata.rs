//! The metadata of the execution environment: its availability zone.
//!
//! In Lambda it has a separate address, `AWS_LAMBDA_METADATA_API`; here it shares that of the Runtime API.

use lambda_runtime_proto::server::{Reply, Request};

use super::Api;
use super::outcomes::Refused;

/// The reply to a request for the metadata, which needs the token of the environment.
pub(super) fn reply(api: &Api, request: &Request) -> Reply {
    let authorized = format!("Bearer {}", api.config.metadata_token);
    if request.headers().get_str("authorization") != Some(&*authorized) {
        let refused = Refused::new(401, "Unauthorized", "the token is not that of AWS_LAMBDA_METADATA_TOKEN");
        return api.refuse(request.path(), &refused);
    }
    Reply::new(200).json(r#"{"AvailabilityZoneID":"use1-az1"}"#)
}
