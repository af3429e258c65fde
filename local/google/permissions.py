"""Which apps have access to whose account, and a button to end it: Google's page "Third-party apps and services".

Google shows each person their own; here they are all on one page, as nobody has a password.
"""

import html
from http import HTTPStatus

from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from local.google.accounts import Accounts
from local.google.oauth import PAGE

PERMISSIONS_PATH = "/connections"


class PermissionsPage:
    """The page, over the state in `accounts`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def register(self, app: Flask) -> None:
        """Adds it to the app."""
        app.add_url_rule(PERMISSIONS_PATH, view_func=self.show, methods=["GET"], endpoint="permissions")
        app.add_url_rule(PERMISSIONS_PATH, view_func=self.remove, methods=["POST"], endpoint="remove_permission")

    def show(self) -> BaseResponse:
        """Each access with its button."""
        rows = "".join(
            f'<form method="post"><p>{html.escape(client.name)} has access to {html.escape(account.email)} '
            f'<input type="hidden" name="account" value="{html.escape(account.email)}">'
            f'<input type="hidden" name="project" value="{html.escape(client.project)}">'
            "<button>Remove access</button></p></form>"
            for account, client in self._accounts.consented()
        )
        content = rows or "<p>No app has access to any account.</p>"
        return Response(PAGE.format(title="Third-party apps and services", content=content), mimetype="text/html")

    def remove(self) -> BaseResponse:
        """All tokens that the app's project has of the account die at once."""
        if self._accounts.get(request.form["account"]) is None:
            abort(HTTPStatus.NOT_FOUND)
        self._accounts.remove_access(request.form["account"], request.form["project"])
        return redirect(PERMISSIONS_PATH, code=303)
