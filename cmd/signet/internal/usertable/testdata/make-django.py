#!/usr/bin/python3
"""Writes django.json and django.jsonl with dumpdata, as an operator does it. It needs Debian's python3-django."""
import io, os, tempfile
import django
from django.conf import settings

path = os.path.join(tempfile.mkdtemp(), "db.sqlite3")
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher", "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"],
)
django.setup()
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.management import call_command

call_command("migrate", verbosity=0)
editors = Group.objects.create(name="editors")
Group.objects.create(name="readers")
ann = User(username="ann", email="ann@example.com", first_name="Ann", last_name='O"Neill, Müller', is_staff=True)
ann.password = make_password("ann's old password", salt="4fXn7SGCpZ0Pn7s5VqSvGu", hasher="pbkdf2_sha256")
ann.save()
ann.groups.add(editors)
ben = User(username="ben@example.com", email="ben@example.com", is_active=False)
ben.password = make_password("ben's old password", salt="tlLQbLCuVLBkRhEjXdSpTH", hasher="pbkdf2_sha1")
ben.save()
cay = User(username="cay", email="cay@example.com")
cay.password = "!" + "x" * 40  # set_unusable_password
cay.save()

for name in ["json", "jsonl"]:
    out = io.StringIO()
    call_command("dumpdata", "auth.group", "auth.user", format=name, stdout=out, **({"indent": 2} if name == "json" else {}))
    # the times and what is random differ each time
    import re
    text = re.sub(r'"date_joined": "[^"]+"', '"date_joined": "2026-01-01T00:00:00Z"', out.getvalue())
    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "django." + name), "w").write(text.rstrip("\n") + "\n")
