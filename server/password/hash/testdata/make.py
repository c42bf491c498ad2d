"""Prints hashes that passlib, Django, Werkzeug, bcrypt and argon2-cffi make, one JSON object a line. What is not installed is left out."""
import json
import sys

PASSWORDS = ["correct horse battery", "Zürich könnte €5", "p", "0123456789" * 8]


def emit(made_by, scheme, password, hash):
    json.dump({"made_by": made_by, "scheme": scheme, "password": password, "hash": hash}, sys.stdout, ensure_ascii=False)
    print()


def passlib_hashes():
    import passlib
    from passlib import hash as h
    by = "passlib " + passlib.__version__
    for name, options in [
        ("argon2", dict(rounds=1, memory_cost=64, parallelism=2)),
        ("argon2", dict(type="I", rounds=1, memory_cost=64, parallelism=1)),
        ("argon2", dict(type="D", rounds=2, memory_cost=64, parallelism=2)),
        ("bcrypt", dict(ident="2a", rounds=4)), ("bcrypt", dict(ident="2b", rounds=4)), ("bcrypt", dict(ident="2y", rounds=4)),
        ("bcrypt_sha256", dict(version=1, rounds=4)), ("bcrypt_sha256", dict(version=2, rounds=4)),
        ("pbkdf2_sha1", dict(rounds=100)), ("pbkdf2_sha256", dict(rounds=100)), ("pbkdf2_sha512", dict(rounds=100)),
        ("scrypt", dict(rounds=4)), ("sha256_crypt", dict(rounds=1000)), ("sha256_crypt", dict(rounds=5000)),
        ("sha512_crypt", dict(rounds=1001)), ("sha512_crypt", dict(rounds=5000)), ("md5_crypt", {}), ("apr_md5_crypt", {}),
        ("phpass", dict(rounds=7)), ("phpass", dict(ident="H", rounds=7)),
        ("ldap_salted_md5", {}), ("ldap_salted_sha1", {}), ("ldap_salted_sha256", {}), ("ldap_salted_sha512", {}),
        ("ldap_pbkdf2_sha1", dict(rounds=100)), ("ldap_pbkdf2_sha256", dict(rounds=100)), ("ldap_pbkdf2_sha512", dict(rounds=100)),
        ("ldap_sha512_crypt", dict(rounds=1000)), ("ldap_md5_crypt", {}), ("ldap_bcrypt", dict(rounds=4)),
        ("django_pbkdf2_sha256", dict(rounds=100)), ("django_pbkdf2_sha1", dict(rounds=100)), ("django_bcrypt_sha256", dict(rounds=4)),
        ("ldap_md5", {}), ("ldap_sha1", {}), ("ldap_plaintext", {}), ("hex_md5", {}), ("hex_sha1", {}), ("hex_sha256", {}), ("hex_sha512", {}),
        ("django_salted_md5", {}), ("django_salted_sha1", {}),
    ]:
        scheme = {"hex_md5": "md5", "hex_sha1": "sha1", "hex_sha256": "sha256", "hex_sha512": "sha512", "ldap_plaintext": "plain",
                  "django_salted_md5": "django", "django_salted_sha1": "django"}.get(name, "")
        for password in PASSWORDS:
            hasher = getattr(h, name)
            try:
                made = hasher.using(**options).hash(password) if options else hasher.hash(password)
            except Exception as problem:  # a back end that is not installed
                print(name, problem, file=sys.stderr)
                break
            emit(by + " " + name, scheme, password, made)


def wordpress_hashes():
    import passlib
    from passlib.hash import phpass
    for password in PASSWORDS + ["it's \"quoted\""]:  # WordPress puts backslashes into what its forms send
        slashed = password.replace("'", "\\'").replace('"', '\\"')
        emit("passlib %s as WordPress 6.7" % passlib.__version__, "wordpress", password, phpass.using(rounds=7).hash(slashed))


def django_hashes():
    import django
    from django.conf import settings
    settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers." + n for n in [
        "PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptSHA256PasswordHasher", "BCryptPasswordHasher",
        "ScryptPasswordHasher", "MD5PasswordHasher", "SHA1PasswordHasher"] if hasattr(__import__("django.contrib.auth.hashers", fromlist=[n]), n)])
    from django.contrib.auth import hashers
    by = "django " + django.get_version()
    for hasher in hashers.get_hashers():
        scheme = "django" if hasher.algorithm in ("md5", "sha1") else ""
        if hasattr(hasher, "iterations"):
            hasher.iterations = 100
        if hasher.algorithm == "argon2":
            hasher.memory_cost = 1024
        if hasher.algorithm.startswith("bcrypt"):
            hasher.rounds = 4
        for password in PASSWORDS:
            try:
                emit(by + " " + hasher.algorithm, scheme, password, hasher.encode(password, hasher.salt()))
            except ValueError as problem:
                print(hasher.algorithm, problem, file=sys.stderr)


def werkzeug_hashes():
    from importlib.metadata import version
    from werkzeug.security import generate_password_hash
    for method in ["pbkdf2:sha1:100", "pbkdf2:sha256:100", "pbkdf2:sha512:100", "scrypt:1024:8:1", "md5", "sha1", "sha256", "sha512"]:
        for password in PASSWORDS:
            try:
                made = generate_password_hash(password, method, 16)
            except (ValueError, TypeError) as problem:
                print(method, problem, file=sys.stderr)
                break
            emit("werkzeug %s %s" % (version("werkzeug"), method), "" if ":" in method else "werkzeug", password, made)


def bcrypt_hashes():
    import bcrypt
    for prefix in [b"2a", b"2b"]:
        for password in PASSWORDS:
            emit("bcrypt " + bcrypt.__version__, "", password, bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix)).decode())


def argon2_hashes():
    import argon2
    for kind in argon2.Type:
        for password in PASSWORDS:
            emit("argon2-cffi %s %s" % (argon2.__version__, kind.name), "", password, argon2.PasswordHasher(1, 64, 4, type=kind).hash(password))
    emit("argon2-cffi %s defaults of pwdlib" % argon2.__version__, "", PASSWORDS[1], argon2.PasswordHasher(3, 65536, 4).hash(PASSWORDS[1]))


for make in [passlib_hashes, wordpress_hashes, django_hashes, werkzeug_hashes, bcrypt_hashes, argon2_hashes]:
    try:
        make()
    except ImportError as problem:
        print(problem, file=sys.stderr)
