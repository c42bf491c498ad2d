"""The old system's side of users.upstream, with FastAPI: is this the password of that user?"""

import hashlib
import hmac
import json
import os
import time

from fastapi import Depends, FastAPI, HTTPException, Request

SECRET = open(os.environ["UPSTREAM_SECRET_FILE"], "rb").read().strip()
app = FastAPI(openapi_url=None)


def hashed(password: str) -> bytes:  # stands for what the old system has
    return hashlib.scrypt(password.encode(), salt=b"of the old system", n=2**14, r=8, p=1)


USERS = {
    "ada": {"id": 17, "email": "ada@example.com", "active": True, "hash": hashed("the old password of ada")},
    "eve": {"id": 18, "email": "eve@example.com", "active": False, "hash": hashed("the old password of eve")},
}
NOBODY = {"hash": hashed("")}  # so that a name that nobody has takes as long


async def signed(request: Request) -> dict:
    body, stamp = await request.body(), request.headers.get("signet-timestamp", "")
    signature = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = stamp.isdecimal() and abs(time.time() - int(stamp)) < 300
    if not hmac.compare_digest(signature.encode(), request.headers.get("signet-signature", "").encode()) or not fresh:
        raise HTTPException(401)
    return json.loads(body)


@app.post("/check")
def check(asked: dict = Depends(signed)):  # not async: the hash would hold up all other requests
    user = USERS.get(asked["username"].lower(), NOBODY)
    if not hmac.compare_digest(hashed(asked["password"]), user["hash"]) or user is NOBODY:
        return "no"
    return {"id": user["id"], "claims": {"email": user["email"]}, "disabled": not user["active"]}
