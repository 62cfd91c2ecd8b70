//! HTTP/1.1 message framing (RFC 9112) for both sides: heads, bodies, chunks, trailers, limits.

mod body;
mod head;
mod headers;
mod input;
mod name;
mod outgoing;
mod reader;
mod template;

pub use headers::{Headers, HeadersIter};
pub use outgoing::Slices;

#[cfg(any(test, feature = "checks"))]
pub(crate) use head::parse_whole as parse_head;
pub(crate) use head::{Field, Framing, Head, Role, StartLine, decimal};
pub(crate) use name::Name;
pub(crate) use outgoing::{Outgoing, push_field, trailer_section};
pub(crate) use reader::{Reader, Step};
#[cfg(any(test, feature = "checks"))]
pub(crate) use template::Templates;
