//! Metadata of the execution environment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use lambda_runtime_proto::{Limits, client};
use serde::Deserialize;

use crate::connection::Connection;
use crate::env::Environment;
use crate::env::address::Address;
use crate::error::{Error, RunError};
use crate::executor::{Executor, timeout};

/// The address of the metadata endpoint.
const METADATA_API: &str = "AWS_LAMBDA_METADATA_API";

const METADATA_TOKEN: &str = "AWS_LAMBDA_METADATA_TOKEN";

const TIMEOUT: Duration = Duration::from_secs(1);

/// The largest reply; today's has about 30 bytes.
const MAX_REPLY: u64 = 64 * 1024;

/// Metadata of the execution environment. Lambda may add fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// The id of the availability zone, such as `use1-az1`. It is the same zone in every account, unlike a zone's name.
    #[serde(default, rename = "AvailabilityZoneID")]
    pub availability_zone_id: Option<String>,
}

/// It does not change while the environment lives.
static CACHED: Mutex<Option<Metadata>> = Mutex::new(None);

fn cached() -> std::sync::MutexGuard<'static, Option<Metadata>> {
    CACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A snapshot may be restored in another zone.
pub(crate) fn invalidate() {
    *cached() = None;
}

/// The executors' `metadata`.
#[doc(hidden)]
pub async fn metadata<X: Executor>(executor: X) -> Result<Metadata, Error> {
    if let Some(metadata) = &*cached() {
        return Ok(metadata.clone());
    }
    let environment = Environment::Process;
    let (Some(address), Some(token)) = (environment.text(METADATA_API), environment.text(METADATA_TOKEN)) else {
        return Ok(Metadata::default());
    };
    let address = address.parse::<Address>().map_err(|error| format!("{METADATA_API}: {error}"))?;
    let sleep = executor.sleep(TIMEOUT);
    let fetched = timeout(sleep, fetch(executor, address.clone(), &token)).await;
    let metadata =
        fetched.ok_or_else(|| format!("the metadata endpoint at {address} did not reply in {TIMEOUT:?}"))??;
    *cached() = Some(metadata.clone());
    Ok(metadata)
}

async fn fetch<X: Executor>(executor: X, address: Address, token: &str) -> Result<Metadata, Error> {
    let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| format!("the value of {METADATA_TOKEN} is not valid in a header"))?;
    authorization.set_sensitive(true);
    let config = client::Config::new(address.authority().clone())
        .base_path(address.base_path().clone())
        .limits(Limits::default().body(MAX_REPLY));
    let mut connection = Connection::new(executor, address, config);
    connection.client.metadata(&authorization)?;
    loop {
        let client::Event::Reply(reply) = connection.event().await? else { continue };
        if reply.kind() != client::ReplyKind::Accepted {
            return Err(RunError::refused(&reply).into());
        }
        let metadata = serde_json::from_slice(&reply.body());
        return metadata.map_err(|error| format!("the metadata is not the expected JSON: {error}").into());
    }
}
