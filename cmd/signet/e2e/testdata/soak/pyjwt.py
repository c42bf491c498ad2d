"""Verifies one token a line with PyJWT, and answers a line: ok, or what is wrong."""

import sys

import jwt

url, issuer, audience, lifespan = sys.argv[1:]


class Client(jwt.PyJWKClient):
    """PyJWKClient without the fetch for an unknown kid: the key has to be there before."""

    def get_signing_keys(self, refresh=False):
        return [] if refresh else super().get_signing_keys()


client = Client(url, lifespan=int(lifespan))

for line in sys.stdin:
    token = line.strip()
    try:
        key = client.get_signing_key_from_jwt(token).key
        jwt.decode(token, key, algorithms=["ES256"], issuer=issuer, audience=audience, leeway=1,
                   options={"require": ["exp", "iat", "sub"]})
        print("ok", flush=True)
    except Exception as error:  # whatever it is, the token was not verified
        print(f"{type(error).__name__}: {error}", flush=True)
