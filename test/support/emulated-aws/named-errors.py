# Starts the emulator with what flows need of Lambda and it lacks: an error of a Node function is known by its name, as `Retry` and `Catch`
# go by names. The emulator calls all of them Runtime.HandlerError.
import ministack.core.lambda_runtime as runtime
import ministack.services.lambda_svc as functions
from ministack.app import main

TOLD = "error: String(err.message || err), trace:"
NAMED = "error: `${err.name}\\x1f${err.message || err}`, trace:"

script = runtime._NODEJS_WORKER_SCRIPT
if script.count(TOLD) != 1:
    raise SystemExit("another version of the emulator: look at how its Node workers tell of errors")
runtime._NODEJS_WORKER_SCRIPT = script.replace(TOLD, NAMED)

execute = functions._execute_function_warm


def named(*given):
    result = execute(*given)
    body = result.get("body")
    if result.get("error") and isinstance(body, dict) and "\x1f" in body.get("errorMessage", ""):
        body["errorType"], body["errorMessage"] = body["errorMessage"].split("\x1f", 1)
    return result


functions._execute_function_warm = named
main()
