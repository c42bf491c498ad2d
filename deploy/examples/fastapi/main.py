"""An API whose users sign in at Signet.

This is what FastAPI's security guide builds, with two differences: the tokens come from Signet
(tokenUrl), and they are checked with Signet's public keys instead of a secret of one's own.

    TOKEN_ISSUER=http://127.0.0.1:8080 uvicorn main:app
"""

import json
import logging
import os
import urllib.request
from typing import List, Optional

import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

ISSUER = os.environ["TOKEN_ISSUER"]  # exactly as in Signet's configuration: no trailing slash
AUDIENCE = os.environ.get("TOKEN_AUDIENCE", ISSUER)  # the name of this API; Signet's default is the issuer
ALGORITHMS = os.environ.get("TOKEN_ALGORITHMS", "ES256").split(",")
# How far this machine's clock may be from Signet's. Without it a clock that is one second slow refuses
# every fresh token: PyJWT compares iat and nbf to the second. Signet allows for up to five minutes.
LEEWAY = int(os.environ.get("TOKEN_LEEWAY", "30"))  # seconds

# A child of uvicorn's logger, so that the lines appear without any configuration.
log = logging.getLogger("uvicorn.error.signet")


class KeySetUnavailable(Exception):
    """Signet's key set could not be fetched, so nothing can be said about a token."""


class KeySet(jwt.PyJWKClient):
    """PyJWKClient, with a fetch that behaves the same in every release of PyJWT.

    Releases differ in what they raise when the fetch fails (2.6: the same error as for an unknown
    key; 2.7: PyJWKClientConnectionError, which 2.8 exports), in whether there is a time limit
    (from 2.7 on), and in whether a failure throws away the keys that they have (until 2.12).
    """

    def fetch_data(self):
        try:
            with urllib.request.urlopen(self.uri, timeout=5) as response:
                key_set = json.load(response)
            jwt.PyJWKSet.from_dict(key_set)  # an error page is no key set
        except Exception as error:
            raise KeySetUnavailable(f"fetching {self.uri}: {error}") from error
        self.jwk_set_cache.put(key_set)
        return key_set


app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl=f"{ISSUER}/token")
# Kept for five minutes, and fetched again when a token names a key that is not in it.
key_set = KeySet(f"{ISSUER}/.well-known/jwks.json")


class User(BaseModel):
    sub: str  # never changes and is never given to another user: the key for your own tables
    username: Optional[str] = None
    roles: List[str] = []


# Not async: a fetch of the key set then blocks one worker thread and not the event loop.
def get_token_claims(token: str = Depends(oauth2_scheme)) -> dict:
    try:
        claims = jwt.decode(
            token,
            key_set.get_signing_key_from_jwt(token).key,
            algorithms=ALGORITHMS,
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY,
            options={"require": ["iss", "aud", "exp", "sub", "client_id"]},
        )
        if jwt.get_unverified_header(token).get("typ") != "at+jwt":  # verified by now
            raise jwt.InvalidTokenError("not an access token")
    except KeySetUnavailable as error:
        log.warning("token not checked: %s", error)
        raise HTTPException(
            status_code=status.HTTP_503_SERVICE_UNAVAILABLE,
            detail="Cannot check credentials right now",
            headers={"Retry-After": "5"},
        ) from error
    # PyJWT lets some malformed tokens out as plain Python errors.
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        # The caller is not told why. The reason never has the token in it, but may quote its header.
        log.info("token refused: %s: %r", type(error).__name__, str(error)[:200])
        raise HTTPException(
            status_code=status.HTTP_401_UNAUTHORIZED,
            detail="Could not validate credentials",
            headers={"WWW-Authenticate": "Bearer"},
        ) from error
    return claims


def get_current_user(claims: dict = Depends(get_token_claims)) -> User:
    if claims["sub"] == claims["client_id"]:  # a client's own token, from client_credentials
        raise HTTPException(status_code=status.HTTP_403_FORBIDDEN, detail="This token has no user")
    return User(sub=claims["sub"], username=claims.get("preferred_username"), roles=claims.get("roles", []))


@app.get("/users/me", response_model=User)
def read_users_me(current_user: User = Depends(get_current_user)):
    return current_user
