"""The pages and endpoints of Google's OAuth: consent, token, revoke, certificates, userinfo.

After https://developers.google.com/identity/protocols/oauth2/web-server. The consent page is real HTML with a form, so
that a browser, or `local.google.consent`, can go through it.
"""

import html
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from local.google.accounts import (
    SIGN_IN_SCOPES,
    SPELLED_OUT,
    Account,
    Accounts,
    Consent,
    OAuthError,
    TokenAnswer,
)
from local.google.faults import Faults
from local.google.tokens import OAuthClient
from local.oidc import Signer

AUTHORIZE_PATH = "/o/oauth2/v2/auth"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem; color: #202124 }}
  fieldset {{ border: 1px solid #dadce0; border-radius: 8px; margin: 1rem 0 }}
  label {{ display: block; padding: .3rem 0 }}
  button {{ font: inherit; padding: .5rem 1.5rem; border-radius: 4px; border: 1px solid #dadce0; cursor: pointer }}
  button[value=allow] {{ background: #1a73e8; color: #fff }}
  small {{ color: #5f6368 }}
</style></head>
<body><main><p><small>Simulated Google</small></p><h1>{title}</h1>{content}</main></body></html>
"""


class OAuthPages:
    """The routes, over the state in `accounts`."""

    def __init__(self, accounts: Accounts, signer: Signer, faults: Faults) -> None:
        self._accounts = accounts
        self._signer = signer
        self._faults = faults

    def register(self, app: Flask) -> None:
        """Adds them to the app."""
        app.add_url_rule(AUTHORIZE_PATH, view_func=self.authorize, methods=["GET"])
        app.add_url_rule(AUTHORIZE_PATH, view_func=self.decide, methods=["POST"])
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/revoke", view_func=self.revoke, methods=["POST"])
        app.add_url_rule("/oauth2/v1/certs", view_func=self.certs)
        app.add_url_rule("/oauth2/v2/userinfo", view_func=self.userinfo)

    def authorize(self) -> BaseResponse:
        """The consent page."""
        try:
            client, scopes = _asked(self._accounts)
        except OAuthError as error:
            return _error_page(error)
        if "none" in _prompts():
            return _silently(self._accounts, client, scopes)
        return Response(_consent_page(self._accounts, client, scopes), mimetype="text/html")

    def decide(self) -> BaseResponse:
        """The consent page's form: back to the client, with a code or ``access_denied``."""
        try:
            client, scopes = _asked(self._accounts)
        except OAuthError as error:
            return _error_page(error)
        account = self._accounts.get(request.form.get("account", ""))
        ticked = set(request.form.getlist("scope"))
        granted = tuple(scope for scope in scopes if scope in SIGN_IN_SCOPES or scope in ticked)
        if request.form.get("decision") != "allow" or not granted:
            return _back({"error": "access_denied"})
        if account is None:
            return _error_page(OAuthError("invalid_request", "Choose an account"))
        try:
            self._accounts.check_allowed(account, client)
        except OAuthError as error:
            return _error_page(error)
        return _with_code(self._accounts, account, client, granted)

    def token(self) -> BaseResponse:
        """A code or a refresh token, for an access token."""
        self._faults.meet("oauth2.token")
        answer = _oauth_json(lambda: _token_body(_token_answer(self._accounts), self._accounts, self._signer))
        self._faults.meet("oauth2.token", after_effect=True)
        return answer

    def revoke(self) -> BaseResponse:
        """Ends all that was granted to the token's project."""

        def carry_out() -> dict[str, object]:
            self._accounts.revoke(request.values.get("token", ""))
            return {}

        self._faults.meet("oauth2.revoke")
        answer = _oauth_json(carry_out)
        self._faults.meet("oauth2.revoke", after_effect=True)
        return answer

    def certs(self) -> BaseResponse:
        """What ID tokens are verified with."""
        return Response(self._signer.certs_json(), mimetype="application/json")

    def userinfo(self) -> BaseResponse:
        """Whom an access token belongs to, as far as its scopes tell."""
        scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
        grant = self._accounts.grant_of(access_token) if scheme == "Bearer" else None
        if grant is None or not grant.scopes & SIGN_IN_SCOPES:
            error = {"code": 401, "message": "Invalid Credentials", "status": "UNAUTHENTICATED"}
            return _json({"error": error}, 401)
        account = grant.account
        body: dict[str, object] = {"id": account.sub}
        if SPELLED_OUT["email"] in grant.scopes:
            body |= {"email": account.email, "verified_email": account.email_verified}
        if SPELLED_OUT["profile"] in grant.scopes:
            body |= {"name": account.name}
        if account.domain is not None:
            body |= {"hd": account.domain}
        return _json(body, 200)


def _asked(accounts: Accounts) -> tuple[OAuthClient, tuple[str, ...]]:
    """The client and the scopes of the authorization request; errors here are shown, never redirected."""
    client = accounts.client(request.args.get("client_id", ""))
    if client is None:
        raise OAuthError("invalid_client", "The OAuth client was not found.", status=401)
    # Exact match, including scheme, case and trailing slash.
    if request.args.get("redirect_uri") not in client.redirect_uris:
        raise OAuthError("redirect_uri_mismatch", f"Not registered: {request.args.get('redirect_uri')}")
    if request.args.get("response_type") != "code":
        raise OAuthError("invalid_request", "The simulator knows response_type=code only")
    if request.args.get("code_challenge") and request.args.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "The simulator knows code_challenge_method=S256 only")
    scopes = tuple(dict.fromkeys(SPELLED_OUT.get(s, s) for s in request.args.get("scope", "").split()))
    if not scopes:
        raise OAuthError("invalid_request", "Missing required parameter: scope")
    if "none" in _prompts() and len(_prompts()) > 1:
        raise OAuthError("invalid_request", "Invalid parameter value for prompt: none stands alone")
    return client, scopes


def _silently(accounts: Accounts, client: OAuthClient, scopes: tuple[str, ...]) -> BaseResponse:
    """``prompt=none``: works for a known account that granted everything before."""
    account = _hinted(accounts)
    granted = accounts.granted(account.email, client.client_id) if account else None
    if account is None or granted is None or not set(scopes) <= set(granted):
        return _back({"error": "interaction_required"})
    return _with_code(accounts, account, client, scopes)


def _with_code(accounts: Accounts, account: Account, client: OAuthClient, scopes: tuple[str, ...]) -> BaseResponse:
    asked = request.args
    code = accounts.issue_code(
        Consent(
            account=account,
            client=client,
            redirect_uri=asked["redirect_uri"],
            scopes=scopes,
            offline=asked.get("access_type") == "offline",
            prompt_consent="consent" in _prompts(),
            include_granted=asked.get("include_granted_scopes") == "true",
            code_challenge=asked.get("code_challenge"),
            nonce=asked.get("nonce"),
        )
    )
    return _back({"code": code, "scope": " ".join(scopes)})


def _prompts() -> list[str]:
    return request.args.get("prompt", "").split()


def _hinted(accounts: Accounts) -> Account | None:
    """``login_hint`` is an address or a `sub`."""
    hint = request.args.get("login_hint")
    return next((account for account in accounts.all() if hint in {account.email, account.sub}), None)


def _offered(accounts: Accounts) -> list[Account]:
    """Those of the Workspace in ``hd``, "*" for any Workspace; all where it is not given. Whoever edits the address
    in their browser chooses another: it makes the page shorter, and keeps nobody out.
    """
    domain = request.args.get("hd")
    return [
        account
        for account in accounts.all()
        if domain is None or account.domain == domain or (domain == "*" and account.domain is not None)
    ]


def _back(answer: dict[str, str]) -> BaseResponse:
    """302 to the redirect URI, with the state that came in."""
    if "state" in request.args:
        answer = {"state": request.args["state"]} | answer
    target = request.args["redirect_uri"]
    separator = "&" if urlsplit(target).query else "?"
    return redirect(f"{target}{separator}{urlencode(answer)}", code=302)


def _consent_page(accounts: Accounts, client: OAuthClient, scopes: tuple[str, ...]) -> str:
    choices = _offered(accounts)
    chosen = _hinted(accounts) or (choices[0] if len(choices) == 1 else None)
    if "select_account" in _prompts():
        chosen = None
    people = "".join(
        f'<label><input type="radio" name="account" value="{html.escape(account.email)}" required'
        f"{' checked' if account == chosen else ''}> {html.escape(account.name)}"
        f" <small>{html.escape(account.email)}</small></label>"
        for account in choices
    )
    asked = [scope for scope in scopes if scope not in SIGN_IN_SCOPES]
    # A single scope on its own is all or nothing: only then is there nothing to untick.
    granular = len(scopes) > 1
    kind = 'type="checkbox" checked' if granular else 'type="hidden"'
    rights = "".join(
        f'<label><input {kind} name="scope" value="{html.escape(scope)}"> {html.escape(scope)}</label>'
        for scope in asked
    )
    name = html.escape(client.name)
    content = (
        f'<form method="post"><fieldset><legend>Choose an account</legend>{people}</fieldset>'
        f"<fieldset><legend>{name} wants to</legend><p>know who you are</p>{rights}</fieldset>"
        '<button name="decision" value="allow">Allow</button> '
        '<button name="decision" value="cancel" formnovalidate>Cancel</button></form>'
    )
    return PAGE.format(title=f"{name} wants access to your Google Account", content=content)


def _error_page(error: OAuthError) -> BaseResponse:
    content = f"<p>Error {error.status}: {html.escape(error.error)}</p><p>{html.escape(error.description)}</p>"
    return Response(PAGE.format(title="Access blocked", content=content), error.status, mimetype="text/html")


def _token_answer(accounts: Accounts) -> TokenAnswer:
    form = request.form
    basic = request.authorization
    client_id = form.get("client_id") or (basic.username if basic else None) or ""
    client_secret = form.get("client_secret") or (basic.password if basic else None) or ""
    if form.get("grant_type") == "authorization_code":
        return accounts.exchange(
            client_id, client_secret, form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
        )
    if form.get("grant_type") == "refresh_token":
        return accounts.refresh(client_id, client_secret, form.get("refresh_token", ""))
    raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")


def _token_body(answer: TokenAnswer, accounts: Accounts, signer: Signer) -> dict[str, object]:
    account = answer.account
    body: dict[str, object] = {
        "access_token": answer.access_token,
        "expires_in": answer.expires_in,
        "scope": " ".join(answer.scopes),
        "token_type": "Bearer",
    }
    if answer.refresh_token is not None:
        body["refresh_token"] = answer.refresh_token
    if answer.refresh_token_expires_in is not None:
        body["refresh_token_expires_in"] = answer.refresh_token_expires_in
    if "openid" in answer.scopes:
        claims: dict[str, object] = {"sub": account.sub, "azp": answer.client_id}
        if account.domain is not None:
            claims["hd"] = account.domain
        if SPELLED_OUT["email"] in answer.scopes:
            claims |= {"email": account.email, "email_verified": account.email_verified}
        if SPELLED_OUT["profile"] in answer.scopes:
            claims |= {"name": account.name}
        if answer.nonce is not None:
            claims["nonce"] = answer.nonce
        id_token = signer.id_token(claims, answer.client_id)
        accounts.put_on_record(id_token)
        body["id_token"] = id_token
    return body


def _oauth_json(make: Callable[[], dict[str, object]]) -> BaseResponse:
    try:
        return _json(make(), 200)
    except OAuthError as error:
        body: dict[str, object] = {"error": error.error, "error_description": error.description}
        if error.subtype is not None:
            body["error_subtype"] = error.subtype
        return _json(body, error.status)


def _json(body: dict[str, object], status: int) -> BaseResponse:
    response = jsonify(body)
    response.status_code = status
    return response
