"""Keys as the MCP SDK knows credentials: verified, and carried to the call."""

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from pydantic import ConfigDict
from starlette.requests import Request

from mcp_memory.app import App
from mcp_memory.errors import PermissionRefused
from mcp_memory.keys.caller import Caller, holder
from mcp_memory.keys.models import SCOPES


class CallerToken(AccessToken):
    """What the SDK binds sessions to; it holds the caller, and never the key's text.

    `key_id` is empty for a client of this machine while there are no keys.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    caller: Caller
    key_id: str = ""


class KeyVerifier:
    """The SDK's TokenVerifier: a bearer token is a key's text.

    It asks the database every time, so that a revoked key is refused at once.
    """

    def __init__(self, app: App) -> None:
        self._keys = app.keys

    async def verify_token(self, token: str) -> CallerToken | None:
        """The holder of the key, or None."""
        key = await self._keys.holder_of(token)
        if key is None:
            return None
        return CallerToken(
            token="",
            client_id=key.id,
            subject=key.agent,
            scopes=list(key.scopes),
            expires_at=None if key.expires_at is None else int(key.expires_at.timestamp()),
            caller=holder(key),
            key_id=key.id,
        )


def local_token(agent: str) -> CallerToken:
    """Any client of this machine while there are no keys: the configured agent."""
    return CallerToken(token="", client_id="local", scopes=list(SCOPES), caller=Caller(agent))


def caller_in(request: object) -> Caller:
    """Whom the door recognised; nobody is never taken for the configured agent."""
    user: object = request.scope.get("user") if isinstance(request, Request) else None
    token = user.access_token if isinstance(user, AuthenticatedUser) else None
    if not isinstance(token, CallerToken):
        raise PermissionRefused("Nobody was recognised at the door.")
    return token.caller
