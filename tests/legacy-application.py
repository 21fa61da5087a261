"""A legacy application's half of the signed identity, with PyJWT as its documentation shows it.

Reads {"keys": address of the JWKS, "issuer": ..., "audience": ..., "tokens": {name: token}} and prints, for each token, who it says is
there, or the name of the error that refused it.
"""
import json
import socket
import sys

import jwt

# Browsers send every name that ends in .localhost to their own machine; this C library does not.
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: look_up("127.0.0.1" if host.endswith(".localhost") else host, *rest, **more)

question = json.load(sys.stdin)
keys = jwt.PyJWKClient(question["keys"])


def check(token):
    try:
        key = keys.get_signing_key_from_jwt(token).key
        claims = jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=question["audience"],
            issuer=question["issuer"],
            options={"require": ["exp", "iat", "sub"]},
        )
        return claims["preferred_username"]
    except jwt.exceptions.PyJWTError as error:
        return type(error).__name__


json.dump({name: check(token) for name, token in question["tokens"].items()}, sys.stdout)
