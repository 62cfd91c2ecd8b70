//! Templates of heads.

use crate::Limits;
use crate::http1::{Role, Templates, parse_head};

/// Takes arbitrary heads of replies, separated by NUL. Checks that comparing a head with earlier ones has the same result
/// as parsing it.
pub fn heads(bytes: &[u8]) {
    let limits = Limits::default().head(2000).headers(40);
    let mut templates = Templates::default();
    for bytes in bytes.split(|&byte| byte == 0) {
        let (mut compared_fields, mut parsed_fields) = (Vec::new(), Vec::new());
        let compared = templates.find(bytes, &limits, &mut compared_fields);
        let parsed = parse_head(Role::Response, bytes, &limits, &mut parsed_fields);
        if compared.is_some() {
            assert_eq!((compared, compared_fields), (parsed, parsed_fields), "{}", bytes.escape_ascii());
        } else if let Some(head) = parsed {
            templates.store(bytes, &parsed_fields, head);
        }
    }
}
