"""The old system's side of users.upstream, with Django: is this the password of that user?

In urls.py: path("signet-check", django_view.check). In settings.py: SIGNET_SECRET, the bytes of the shared secret.
"""

import hashlib
import hmac
import json
import time

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST


def signed(request):
    stamp = request.headers.get("Signet-Timestamp", "")
    signature = hmac.new(settings.SIGNET_SECRET, stamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    fresh = stamp.isdecimal() and abs(time.time() - int(stamp)) < 300
    return hmac.compare_digest(signature.encode(), request.headers.get("Signet-Signature", "").encode()) and fresh


@csrf_exempt
@require_POST
def check(request):
    if not signed(request):
        return HttpResponse(status=401)
    asked, users = json.loads(request.body), get_user_model()
    try:
        user = users.objects.get_by_natural_key(asked["username"])
    except users.DoesNotExist:
        users().set_password(asked["password"])  # so that a name that nobody has takes as long
        return JsonResponse("no", safe=False)
    if not user.check_password(asked["password"]):
        return JsonResponse("no", safe=False)
    claims = {"email": user.email, "roles": sorted(group.name for group in user.groups.all())}
    return JsonResponse({"id": user.pk, "claims": claims, "disabled": not user.is_active})
