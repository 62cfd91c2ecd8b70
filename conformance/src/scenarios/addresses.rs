//! Forms of the API's address.

use super::sources::{CUSTOM_RUNTIME, PROTOCOL};
use crate::{AddressForm, Scenario, Steps};

pub(super) fn add(all: &mut Vec<Scenario>) {
    let scenarios = [
        (Scenario::must("address-ipv4", "the API may be at an IPv4 address", CUSTOM_RUNTIME), AddressForm::Ipv4),
        (Scenario::should("address-ipv6", "the API may be at an IPv6 address", CUSTOM_RUNTIME), AddressForm::Ipv6),
        (Scenario::should("address-name", "the API may be at a host name", CUSTOM_RUNTIME), AddressForm::Name),
        (Scenario::should("address-url", "the API may be at a URL", PROTOCOL), AddressForm::Url),
    ];
    all.extend(scenarios.map(|(scenario, form)| {
        scenario.address(form).connection(Steps::new().served("[1]")).expect_response("a", "[1]")
    }));
}
