"""OpenVPN Access Server: the second factor by openvpn-2fa.

A post-auth script. Access Server checks the password; then this asks `openvpn-2fa verify --json` for the second factor,
and hands its question to the user. README.md beside this file says how to install it.
"""

# ---- What you may want to change -------------------------------------------------------------------------------------

# The program. Where Access Server runs scripts as a user who may not read the database:
# ["/usr/bin/sudo", "-n", "/usr/local/bin/openvpn-2fa"]
PROGRAM = ["/usr/local/bin/openvpn-2fa"]

# Options of the program, such as ["--config", "/etc/openvpn-2fa/other.toml"].
OPTIONS = []

# True: no second factor for VPN connections, only for the web pages.
SKIP_ON_VPN_AUTH = False

# True: no second factor for the web pages, only for VPN connections.
SKIP_ON_WEB_AUTH = False

# Seconds that the program may take. It ends by itself at 90, or 30 after `[duo] timeout`, whichever is later.
TIMEOUT = 100

# To have clients ask for the code beside the password, take the # away and give users new profiles.
# STATIC_CHALLENGE = "Your code"
# STATIC_CHALLENGE_ECHO = True

# ----------------------------------------------------------------------------------------------------------------------

import ipaddress
import json
import subprocess
import syslog

from pyovpn.plugin import FAIL, SUCCEED

# Access Server calls this in a thread, so that a user who looks for a telephone keeps nobody else waiting.
SYNCHRONOUS = False

# Access Server checks the password. This script takes its word for that, so this must stay as it is.
AUTH_NULL = False

# Where the name of an open question is kept until its answer comes.
STATE = "openvpn_2fa_state"

# No reply is longer: the longest text has some hundred characters.
MAX_REPLY_BYTES = 16 * 1024

UNAVAILABLE = "The second factor cannot be checked now, try again later"


class NoDecision(Exception):
    """The program gave no decision. The text is for the log and holds nothing of the request."""


def post_auth_cr(authcred, attributes, authret, info, crstate):
    """Called by Access Server after the password was right, and again with the answer to a question."""
    try:
        return second_factor(authcred, attributes, authret, info, crstate)
    except NoDecision as error:
        log("no decision, so denied: %s" % error)
    except Exception as error:  # whatever it is, nobody gets in by it
        # Its text could hold what was typed.
        log("failed, so denied: %s" % type(error).__name__)
    return deny(authret, UNAVAILABLE)


def second_factor(authcred, attributes, authret, info, crstate):
    """Decides one call. Raises where it cannot."""
    if info.get("auth_method") in ("session", "autologin"):
        # The user was asked when the session began; or a profile is to do without any question.
        return authret
    if SKIP_ON_VPN_AUTH and attributes.get("vpn_auth"):
        return authret
    if SKIP_ON_WEB_AUTH and not attributes.get("vpn_auth"):
        return authret
    if AUTH_NULL:
        raise NoDecision("AUTH_NULL is set, and nobody has checked the password")

    request = {"user": authcred["username"]}
    address = client_address(authcred)
    if address:
        request["address"] = address
    state = crstate.get(STATE)
    if state:
        request["state"] = state
        request["answer"] = crstate.response() or ""
    else:
        if authret.get("status", SUCCEED) != SUCCEED:
            # Not let in as it is, and not to be let in by a second factor alone.
            return authret
        request["primary"] = "passed"
        if authcred.get("static_response"):
            request["answer"] = authcred["static_response"]

    reply = ask(request)
    result = reply.get("result")
    if result == "question":
        crstate[STATE] = text_of(reply, "state")
        crstate.challenge_post_auth(authret, text_of(reply, "text"), echo=reply.get("echo") is True)
        return authret
    if state:
        # The answer was the last one.
        crstate.expire()
    if result == "allow":
        authret["status"] = SUCCEED
        authret["reason"] = "openvpn-2fa: allowed" + reference(reply)
        return authret
    if result == "deny":
        return deny(authret, text_of(reply, "text") + reference(reply))
    raise NoDecision("the reply has no result")


def ask(request):
    """Has the program decide; returns its reply. What was typed goes in by standard input, where nobody sees it."""
    try:
        done = subprocess.run(
            PROGRAM + OPTIONS + ["verify", "--json"],
            input=json.dumps(request).encode("ascii"),
            stdout=subprocess.PIPE,
            # Access Server's own has nothing to say about names, settings or places.
            env={},
            cwd="/",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoDecision("no reply in %s seconds" % TIMEOUT) from None
    except OSError as error:
        raise NoDecision("%s cannot be started: %s" % (PROGRAM[0], error.strerror)) from None
    try:
        if len(done.stdout) > MAX_REPLY_BYTES:
            raise ValueError
        reply = json.loads(done.stdout.decode("utf-8"))
        result = reply.get("result")
    except (ValueError, AttributeError):
        raise NoDecision("no reply, exit status %d" % done.returncode) from None
    # With any other exit status there is no decision, whatever the reply.
    if done.returncode != 0 and not (done.returncode == 1 and result == "deny"):
        raise NoDecision("exit status %d" % done.returncode)
    return reply


def client_address(authcred):
    """The client's address, where Access Server says one."""
    address = authcred.get("client_ip_addr")
    if not address:
        return None
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        log("the client's address is not an IP address, and is left out")
        return None


def text_of(reply, key):
    """A text of the reply, which must be there."""
    text = reply.get(key)
    if not isinstance(text, str) or not text:
        raise NoDecision("the reply has no %s" % key)
    return text


def reference(reply):
    """The reference that the program's log has too."""
    known = reply.get("ref")
    return " (ref %s)" % known if isinstance(known, str) and known else ""


def deny(authret, text):
    """Denies, and tells the user why."""
    authret["status"] = FAIL
    authret["reason"] = "openvpn-2fa: " + text
    authret["client_reason"] = text
    return authret


def log(text):
    """A line beside those of the program, which logs each decision itself."""
    syslog.syslog(syslog.LOG_ERR | syslog.LOG_AUTH, "openvpn-2fa post-auth script: " + text)
