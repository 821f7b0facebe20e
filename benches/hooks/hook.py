"""A hook of the usual kind, for comparison: PAM, TOTP and SQLite, all in the process that OpenVPN waits for.

Written for the benchmarks, of packages that many such hooks are made of (python-pam, pyotp). It does what openvpn-2fa
does for the same logins: three forms of challenge, each code once. Do not use it for anything else: it counts no
failures, and its challenges are for nobody in particular.
"""

import base64
import os
import secrets
import sqlite3
import sys
import time

import pam
import pyotp

ACCEPTED, REJECTED, DEFERRED = 0, 1, 2


def database():
    return sqlite3.connect(os.environ["comparisonDatabase"], timeout=10, isolation_level=None)


def password_is_right(username, password):
    return pam.pam().authenticate(username, password, service=os.environ["comparisonService"])


def code_is_right(username, code):
    connection = database()
    connection.execute("BEGIN IMMEDIATE")
    row = connection.execute("SELECT secret, last_step FROM token WHERE user = ?", (username,)).fetchone()
    if row is None:
        return False
    totp, now = pyotp.TOTP(row[0]), int(time.time())
    for step in (now // 30 - 1, now // 30, now // 30 + 1):
        if step > row[1] and pyotp.utils.strings_equal(code, totp.generate_otp(step)):
            connection.execute("UPDATE token SET last_step = ? WHERE user = ?", (step, username))
            connection.execute("COMMIT")
            return True
    return False


def new_challenge(username):
    state = secrets.token_hex(16)
    database().execute("INSERT INTO challenge VALUES (?, ?, ?)", (state, username, time.time() + 300))
    return state


def challenge_is_open(state, username):
    rows = database().execute(
        "DELETE FROM challenge WHERE state = ? AND user = ? AND expires > ? RETURNING state",
        (state, username, time.time()),
    )
    return rows.fetchone() is not None


def write(variable, text):
    with open(os.environ[variable], "w", encoding="ascii") as file:
        file.write(text)


def decoded(text):
    return base64.b64decode(text).decode()


def verify(path):
    with open(path, encoding="utf-8") as file:
        username, password = file.read().split("\n")[:2]
    if password.startswith("SCRV1:"):
        _, password, code = password.split(":")
        right = password_is_right(username, decoded(password)) and code_is_right(username, decoded(code))
        return ACCEPTED if right else REJECTED
    if password.startswith("CRV1:"):
        _, _, state, _, code = password.split(":")
        right = challenge_is_open(state, username) and code_is_right(username, code)
        return ACCEPTED if right else REJECTED
    if not password_is_right(username, password):
        return REJECTED
    if "crtext" in os.environ.get("IV_SSO", ""):
        write("auth_pending_file", "300\ncrtext\nCR_TEXT:R,E:Code\n")
        return DEFERRED
    encoded = base64.b64encode(username.encode()).decode()
    write("auth_failed_reason_file", f"CRV1:R,E:{new_challenge(username)}:{encoded}:Code")
    return REJECTED


def answer(path):
    with open(path, encoding="ascii") as file:
        code = decoded(file.read().strip())
    os.unlink(path)
    write("auth_control_file", "1" if code_is_right(os.environ["username"], code) else "0")


if os.environ["script_type"] == "client-crresponse":
    answer(sys.argv[-1])
else:
    sys.exit(verify(sys.argv[-1]))
