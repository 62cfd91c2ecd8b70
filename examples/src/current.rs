//! The current invocation, for code that has no access to its context: here, a query is marked with the request id. It works
//! with concurrent invocations too, and in tasks that the handler spawns in the scope of its invocation.

use lambda_runtime_base::current;

pub fn query(sql: &str) -> String {
    match current() {
        Some(current) => format!("{sql} /* {} */", current.request_id()),
        None => sql.to_owned(),
    }
}
