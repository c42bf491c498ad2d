"""Writes a Django user table with dumpdata: django_users.py COUNT FILE HASHER.

The password of user I is "password of I". Every tenth user is not active, and every tenth but one has none. A PBKDF2 has
as few iterations as are stored without another hash around it, because the test is not about its cost."""

import multiprocessing
import os
import sys
import tempfile

import django
from django.conf import settings

count, target, hasher_name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
database = os.path.join(tempfile.mkdtemp(), "db.sqlite3")
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.contrib.auth import hashers
from django.contrib.auth.models import Group, User
from django.core.management import call_command

call_command("migrate", verbosity=0)
group = Group.objects.create(name="customers")
options = {"iterations": 10_000} if "PBKDF2" in hasher_name else {}


def encoded(i):
    hasher = getattr(hashers, hasher_name)()
    return hasher.encode(f"password of {i}", hasher.salt(), **options)


users = []
with multiprocessing.Pool() as pool:
    hashes = pool.map(encoded, range(count), chunksize=100)
for i in range(count):
    user = User(username=f"User{i}@example.com", email=f"user{i}@example.com", is_active=i % 10 != 3)
    if i % 10 == 7:
        user.set_unusable_password()
    else:
        user.password = hashes[i]
    users.append(user)
User.objects.bulk_create(users, batch_size=500)
links = User.groups.through
links.objects.bulk_create([links(user_id=pk, group_id=group.pk) for pk in User.objects.values_list("pk", flat=True)], batch_size=300)
with open(target, "w") as out:
    call_command("dumpdata", "auth.group", "auth.user", stdout=out)
os.remove(database)
