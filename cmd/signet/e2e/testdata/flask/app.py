"""A web app whose users sign in at Signet: Flask with Authlib (pip install flask authlib requests).

    signet client create --id shop --grant authorization_code,refresh_token --scope openid,profile \\
        --redirect-uri http://127.0.0.1:5000/callback --post-logout-uri http://127.0.0.1:5000/ \\
        --backchannel-logout-uri http://127.0.0.1:5000/back-channel-logout

    ISSUER=http://127.0.0.1:8080 CLIENT_ID=shop CLIENT_SECRET=… flask --app app run
"""

import os
import secrets
import time

from authlib.integrations.flask_client import OAuth, OAuthError
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.jose.errors import JoseError
from flask import Flask, abort, redirect, request, session, url_for

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_bytes(32)
app.config.update(SESSION_COOKIE_NAME=os.environ["CLIENT_ID"], SESSION_COOKIE_SAMESITE="Lax")

# The sessions of the app: its cookie has the name of one. A real app keeps them in its database, since each of its processes must
# find them, and Signet ends them from outside.
sessions = {}


def current():
    return sessions.get(session.get("id"))


def fetch_token(name):
    return current() and current()["token"]


def update_token(name, token, refresh_token=None, access_token=None):
    """Authlib has refreshed: the new refresh token replaces the old one."""
    current()["token"].update(early(token))


def early(token):
    """Refreshes half a minute before the access token expires. Authlib before 1.3 waits for the last moment."""
    token["expires_at"] -= 30
    return token


oauth = OAuth(app, fetch_token=fetch_token, update_token=update_token)
signet = oauth.register(
    "signet",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
)


@app.get("/")
def home():
    if not current():
        return '<p>Nobody is signed in. <a href="/login">Sign in</a></p>'
    return '<p>Signed in.</p><form method="post" action="/logout"><button>Sign out</button></form>'


@app.get("/login")
def login():
    return signet.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    if request.args.get("iss") != os.environ["ISSUER"]:  # RFC 9207; Authlib does not check it
        abort(400)
    try:
        token = signet.authorize_access_token()  # checks state, and the id_token with its nonce
    except OAuthError as error:
        return f"You could not be signed in: {error.description}", 400
    session.clear()
    session["id"] = secrets.token_urlsafe()  # another one at each login
    sessions[session["id"]] = {"token": early(token), "sid": token["userinfo"]["sid"]}
    return redirect("/")


@app.get("/me")
def me():
    """Calls a service with the access token, which Authlib refreshes."""
    if not current():
        return redirect("/login")
    try:
        answer = signet.get(os.environ["ISSUER"] + "/userinfo")
    except OAuthError:  # the refresh token is not good any more: the user was signed out elsewhere
        answer = None
    if answer is None or answer.status_code == 401:
        sessions.pop(session["id"], None)
        return redirect("/login")
    return answer.json()


@app.post("/logout")
def logout():
    """Signs the user out here, and with Signet out of everything."""
    ended = sessions.pop(session.get("id"), None)
    session.clear()
    if not ended:
        return redirect("/")
    target = signet.load_server_metadata()["end_session_endpoint"]
    return redirect(f"{target}?id_token_hint={ended['token']['id_token']}&post_logout_redirect_uri={url_for('home', _external=True)}")


@app.post("/back-channel-logout")
def back_channel_logout():
    """Signet calls this when a session has ended (OpenID Connect Back-Channel Logout)."""
    try:
        claims = logout_claims(request.form.get("logout_token", ""))
    except (JoseError, ValueError):
        abort(400)
    for name in [name for name, kept in sessions.items() if kept["sid"] == claims["sid"]]:
        del sessions[name]
    return "", 200, {"Cache-Control": "no-store"}


def logout_claims(token):
    """Returns the claims of a logout token, or raises JoseError or ValueError."""

    def key(header, payload):
        if header.get("typ") != "logout+jwt":  # no other token of Signet has this type
            raise ValueError("no logout token")
        try:
            return JsonWebKey.import_key_set(signet.fetch_jwk_set()).find_by_kid(header.get("kid"))
        except ValueError:  # the keys have changed since they were fetched
            return JsonWebKey.import_key_set(signet.fetch_jwk_set(force=True)).find_by_kid(header.get("kid"))

    claims = JsonWebToken(["ES256", "RS256", "PS256", "EdDSA"]).decode(
        token,
        key,
        claims_options={
            "iss": {"essential": True, "value": os.environ["ISSUER"]},
            "aud": {"essential": True, "value": os.environ["CLIENT_ID"]},
            "sid": {"essential": True},
            "exp": {"essential": True},
            "events": {"essential": True, "validate": lambda _, events: "http://schemas.openid.net/event/backchannel-logout" in events},
        },
    )
    claims.validate(now=int(time.time()), leeway=30)
    return claims
