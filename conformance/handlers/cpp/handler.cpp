// The handler of CONTRACT.md on aws-lambda-cpp.

#include <aws/lambda-runtime/runtime.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

using aws::lambda_runtime::invocation_request;
using aws::lambda_runtime::invocation_response;
using nlohmann::json;

static json text(std::string const& value) { return value.empty() ? json() : json(value); }

static json parsed(std::string const& value) { return value.empty() ? json() : json::parse(value); }

static json context(invocation_request const& request)
{
    using std::chrono::milliseconds;
    json identity = parsed(request.cognito_identity);
    if (!identity.is_null()) {
        identity = {{"identityId", identity["cognitoIdentityId"]}, {"identityPoolId", identity["cognitoIdentityPoolId"]}};
    }
    return {
        {"request_id", request.request_id},
        {"invoked_function_arn", request.function_arn},
        {"xray_trace_id", text(request.xray_trace_id)},
        {"tenant_id", text(request.tenant_id)},
        {"deadline", std::chrono::duration_cast<milliseconds>(request.deadline.time_since_epoch()).count()},
        {"client_context", parsed(request.client_context)},
        {"identity", identity},
    };
}

static invocation_response handle(invocation_request const& request)
{
    // The runtime passes the event as text.
    json event = json::parse(request.payload, nullptr, false);
    if (event.is_discarded()) {
        return invocation_response::failure("the event is not JSON", "BadEvent", "");
    }
    json options = event.is_object() ? event : json::object();
    std::this_thread::sleep_for(std::chrono::milliseconds(options.value("after_ms", 0)));
    std::string operation = options.value("do", "");
    if (operation == "context") {
        event = context(request);
    }
    else if (operation == "large") {
        event = std::string(options.value("bytes", 0), 'x');
    }
    else if (operation == "error") {
        return invocation_response::failure("no apples left", "OutOfStock", "");
    }
    else if (operation == "panic") {
        throw std::runtime_error("asked to panic");
    }
    else if (operation == "exit") {
        std::_Exit(options.value("code", 0));
    }
    return invocation_response::success(event.dump(), "application/json");
}

int main()
{
    aws::lambda_runtime::run_handler(handle);
}
