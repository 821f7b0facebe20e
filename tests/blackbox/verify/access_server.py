"""A stand-in for OpenVPN Access Server, as far as a post-auth script sees it.

python3 stand_in.py SCRIPT reads one call a line from standard input, as JSON, and writes what came of it as JSON, one a
line. It does what Access Server's documentation, its examples and published scripts say of the interface, and is strict
where they are silent: what it does not know is an error.
"""

import base64
import io
import json
import secrets
import sys
import syslog
import traceback
import types

# Not the values of the real module, which nobody may count on.
SUCCEED = 17
FAIL = 23

logged = []
challenges = {}


class ChallengeState(dict):
    """`crstate`: a dictionary that is kept from the question to the answer."""

    def __init__(self, name, username, response=None, kept=()):
        super().__init__(kept)
        self._name, self._username, self._response = name, username, response
        self.expired = False
        self.challenged = False

    def response(self):
        return self._response

    def expire(self):
        self.expired = True

    def challenge_post_auth(self, authret, challenge, echo=False):
        assert isinstance(challenge, str) and isinstance(echo, bool)
        assert not self.expired, "a challenge after expire()"
        self.challenged = True
        user = base64.b64encode(self._username.encode()).decode()
        flags = "R,E" if echo else "R"
        authret["status"] = FAIL
        authret["reason"] = "challenge"
        authret["client_reason"] = "CRV1:%s:%s:%s:%s" % (flags, self._name, user, challenge)


def load(path):
    """Loads the script as Access Server does, which keeps its text in a database: there is no file beside it."""
    plugin = types.ModuleType("pyovpn.plugin")
    plugin.SUCCEED, plugin.FAIL = SUCCEED, FAIL
    sys.modules["pyovpn"] = types.ModuleType("pyovpn")
    sys.modules["pyovpn.plugin"] = plugin
    syslog.syslog = lambda *arguments: logged.append(arguments[-1])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    script = {"__name__": "post_auth_script"}
    exec(compile(text, "<post_auth_script>", "exec"), script)
    return script


def serve(script, call):
    username = call["username"]
    authcred = {"username": username, "client_ip_addr": call.get("client_ip_addr", "192.0.2.7")}
    if call.get("static_response") is not None:
        authcred["static_response"] = call["static_response"]
    attributes = {"vpn_auth": call.get("vpn_auth", True), "client_info": {"IV_PLAT": "linux"}}
    authret = {"status": call.get("status", SUCCEED), "user": username, "reason": "local auth succeeded"}
    if authret["status"] == "failed":
        authret["status"] = FAIL
    info = {"auth_method": call.get("auth_method", "local")}
    if call.get("answers"):
        name = call["answers"]
        kept = challenges.get(name)
        if kept is None:
            return {"status": "unknown challenge"}
        crstate = ChallengeState(name, username, call.get("response"), kept)
    else:
        name = secrets.token_hex(8)
        crstate = ChallengeState(name, username)
    del logged[:]
    result = script["post_auth_cr"](authcred, attributes, authret, info, crstate)
    assert result is authret, "the script returns what it was given"
    if crstate.expired:
        challenges.pop(name, None)
    elif crstate.challenged:
        challenges[name] = dict(crstate)
    return {
        "status": {SUCCEED: "succeed", FAIL: "fail"}[result["status"]],
        "reason": result["reason"],
        "client_reason": result.get("client_reason"),
        "challenge": name if crstate.challenged else None,
        "kept": len(challenges),
        "log": list(logged),
    }


def main():
    # What a script prints is Access Server's log, and not the answer to a call.
    answers, sys.stdout = sys.stdout, io.StringIO()
    try:
        script = load(sys.argv[1])
        for line in sys.stdin:
            reply = serve(script, json.loads(line))
            reply["printed"] = sys.stdout.getvalue()
            print(json.dumps(reply), file=answers, flush=True)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


main()
