"""Sees every call that this process makes to the outside, makes it fail on demand, and can end the process in one.

The product has no hook for it: `install` puts itself under the vendors' libraries (gRPC, httplib2, requests, and
urllib, which SendGrid's client uses). Counts are what Firestore would bill; `Wiretap.faults` are the rules by which
calls fail (`local.faults.rules`); `Wiretap.kill_at` is a crash at one call.
"""

from local.wiretap.install import install, uninstall
from local.wiretap.tap import Call, Killed, Wiretap

__all__ = ["Call", "Killed", "Wiretap", "install", "uninstall"]
