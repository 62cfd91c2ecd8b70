//! The event and the response of a typed function: four structs with 62 fields in total, like an order.

use serde::{Deserialize, Serialize};

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub struct $name {
            $(pub $field: $type),*
        }
    };
}

record! {
    /// 20 fields.
    Order {
        id: u64, number: String, created: String, updated: String, status: String, currency: String, language: String,
        channel: String, total: f64, tax: f64, discount: f64, shipping: f64, paid: bool, gift: bool, note: Option<String>,
        coupon: Option<String>, customer: Customer, address: Address, items: Vec<Item>, tags: Vec<String>,
    }
}

record! {
    /// 14 fields.
    Customer {
        id: u64, first_name: String, last_name: String, email: String, phone: Option<String>, company: Option<String>,
        locale: String, group: String, since: String, orders: u32, spent: f64, verified: bool, newsletter: bool,
        note: Option<String>,
    }
}

record! {
    /// 14 fields.
    Address {
        name: String, company: Option<String>, street: String, number: String, extra: Option<String>, postcode: String,
        city: String, region: Option<String>, country: String, latitude: f64, longitude: f64, residential: bool,
        validated: bool, phone: Option<String>,
    }
}

record! {
    /// 14 fields.
    Item {
        id: u64, sku: String, name: String, variant: Option<String>, quantity: u32, price: f64, tax: f64, discount: f64,
        weight: f64, taxable: bool, digital: bool, fulfilled: bool, vendor: String, note: Option<String>,
    }
}

/// Changes a few fields.
pub fn handle(mut order: Order) -> Order {
    order.total = order.items.iter().map(|item| item.price * f64::from(item.quantity)).sum();
    order.status = "priced".to_owned();
    order
}
