"""H44 from real sandboxes: a script that means harm is told no, its neighbour works."""

import json

from tests.stack import Stack, event
from tests.temporal.test_event_workflow import execution_of, wait_for_line

ATTACK = r"""
import http.client, json, os, pathlib, socket, subprocess, sys

data = json.load(open("/run/cronium/input.json"))
mine, own = os.environ["CRONIUM_EXECUTION_ID"], os.environ["CRONIUM_EXECUTION_TOKEN"]

def call(method, path, body=b"", token=own, **headers):
    made = http.client.HTTPConnection("cronium", timeout=60)
    made.sock = socket.socket(socket.AF_UNIX)
    made.sock.connect(os.environ["CRONIUM_SOCKET"])
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        made.request(method, path, body, headers)
        answer = made.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        made.close()

def status(*args, **more):
    found, text = call(*args, **more)
    assert data["secret"] not in text, text
    return found

def theirs(part):
    return f"/executions/{data['execution']}/{part}"

def ours(part):
    return f"/executions/{mine}/{part}"

seen = {
    "another run": [
        status("GET", theirs(part)) for part in ("input", "context", "variables")
    ] + [status("POST", theirs("output"), b'{"data": "mine now"}')],
    "another run, its token": [
        status("GET", theirs("input"), token=data["token"]),
        status("GET", ours("input"), token=data["token"]),
    ],
    "no token": [status("GET", ours("input"), token="")],
    "paths": [
        status("GET", ours(f"../{data['execution']}/input")),
        status("GET", ours("%2e%2e/" + data["execution"] + "/input")),
        status("GET", ours("variables/..%2f..%2fbob%2fvariables%2fSECRET")),
        status("GET", "/api/users/bob/variables"),
        status("GET", "/users/bob/variables/SECRET"),
    ],
    "variables": [
        status("GET", ours("variables/SECRET")),
        status("GET", ours("variables?user=bob")),
        status("PUT", ours("variables/SECRET"), b'{"value": 1, "user": "bob"}'),
    ],
    "not JSON": [status("POST", ours("output"), b'{"data": '), ],
    "100 MB": [status("POST", ours("output"), b"x" * 1_000_000, **{
        "Content-Length": "100000000"})],
}
# Large bodies count for many calls, so this is a flood on a slow machine as well.
large = b'{"data": "' + b"x" * 900_000 + b'"}'
flood = [status("POST", ours("output"), large) for _ in range(100)]
# 0: refused and hung up on while it was still sending.
seen["flood"] = sorted(set(flood) - {0})
seen["after the flood"] = [status("GET", ours("condition"))]
seen["sockets"] = subprocess.run(
    ["find", "/", "-xdev", "-type", "s"], capture_output=True, text=True
).stdout.split() + [str(p) for p in pathlib.Path("/run/cronium").glob("*.sock")]
print(json.dumps(seen))
"""
# Goes on until somebody tells it to end, and gives back how long its calls took.
NEIGHBOUR = """
import cronium, time
cronium.set_variable("SECRET", "s3cr3t of bob")
cronium.output({"ready": True})
print("ready")
slowest = 0.0
deadline = time.monotonic() + 200
while not cronium.variable_exists("END") and time.monotonic() < deadline:
    begin = time.monotonic()
    assert cronium.get_variable("SECRET") == "s3cr3t of bob"
    slowest = max(slowest, time.monotonic() - begin)
    time.sleep(0.15)
cronium.output({"slowest": slowest})
"""


async def test_a_hostile_script_reaches_nobody_and_disturbs_nobody(
    stack: Stack,
) -> None:
    assert stack.app._host is not None
    handle = await stack.start(
        event(NEIGHBOUR, type="python"), user="bob", input={"of": "s3cr3t of bob"}
    )
    execution = await execution_of(handle)
    await wait_for_line(stack, execution, "ready")
    directories = stack.app._host.engine.directories
    given = (directories.environment(key) for key in directories.present())
    token = next(
        env["CRONIUM_EXECUTION_TOKEN"]
        for env in given
        if env["CRONIUM_EXECUTION_ID"] == execution
    )
    # It is handed all that it would have to guess.
    known = {"execution": execution, "token": token, "secret": "s3cr3t of bob"}
    body = event(ATTACK, type="python", resources={"cpus": 1, "memoryMb": 512})
    attack = await stack.run(body, user="eve", input=known)
    lines = await stack.logs(attack.execution_id)
    assert attack.exit_code == 0, [line["text"] for line in lines]
    seen = json.loads(next(li["text"] for li in lines if li["stream"] == "stdout"))
    assert seen == {
        "another run": [403, 403, 403, 403],
        "another run, its token": [401, 401],
        "no token": [401],
        "paths": [404, 404, 404, 404, 404],
        "variables": [404, 200, 200],
        "not JSON": [400],
        "100 MB": [413],
        "flood": [413],
        "after the flood": [429],
        "sockets": ["/run/cronium/api.sock"],
    }
    await stack.run(event("cronium_set_variable END true"), user="bob")
    result = await handle.result()
    assert result.status == "SUCCESS", result
    print(f"the neighbour's slowest call took {result.output['slowest'] * 1000:.0f} ms")
    assert result.output["slowest"] < 2
    show = "import cronium\ncronium.output(cronium.list_variables())"
    left = await stack.run(event(show, type="python"), user="bob")
    assert left.output == {"SECRET": "s3cr3t of bob", "END": True}
