"""Find mode, address and key of Weights & Biases in this process's environment, without its package.

The rules are the package's own: https://docs.wandb.ai/models/track/environment-variables.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from rothamsted.errors import StoreError

MODE, KEY, BASE_URL = "WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"
USUAL_URL = "https://api.wandb.ai"
_MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}


def check_installed(what: str) -> None:
    """Refuse what needs the package wandb where it is not installed.

    Raises:
        StoreError: begins with `what`, and says how to install it.
    """
    if importlib.util.find_spec("wandb") is None:
        raise StoreError(f"{what}: the package wandb is not installed; pip install 'rothamsted[wandb]'")


def mode(asked: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return online, offline or disabled: what WANDB_MODE says, else what a file asks for.

    Raises:
        StoreError: WANDB_MODE is none of W&B's words.

    Example:
        >>> mode("online", {"WANDB_MODE": "dryrun"})
        'offline'
    """
    given = environment.get(MODE) or asked
    if given not in _MODES:
        raise StoreError(
            f"{MODE}: must be one of {', '.join(_MODES)}, not {given!r}; set it to one of them or unset it"
        )
    return _MODES[given]


def check_wandb(asked: str) -> None:
    """Refuse a mirror that could write nothing: the package is missing, or the key of the server.

    Raises:
        StoreError: in one line, with the way out.
    """
    what = "execution.wandb"
    if (wanted := mode(asked)) == "disabled":
        return
    check_installed(what)
    if wanted == "online" and not os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        needed_key(f"{what}: mode online (offline needs none)")


def base_url(environment: Mapping[str, str] = os.environ) -> str:
    """Say where the server is: WANDB_BASE_URL, else as `wandb login --host` has left it, else W&B's own.

    Raises:
        StoreError: it is not an address of the web.
    """
    given = environment.get(BASE_URL) or _of_settings(environment) or USUAL_URL
    try:
        found = urlsplit(given)
        is_address = found.scheme in ("http", "https") and bool(found.hostname) and (found.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address:
        raise StoreError(f"{BASE_URL}: {given!r} is not an address; write {USUAL_URL}")
    return given.rstrip("/")


def api_key(environment: Mapping[str, str] = os.environ) -> str | None:
    """Find the key: WANDB_API_KEY, else the server's in the file of NETRC, ~/.netrc or ~/_netrc. None: there is none.

    Raises:
        StoreError: a netrc file cannot be read.
    """
    if given := environment.get(KEY):
        return given.strip()
    import netrc

    home = Path(environment.get("HOME") or Path.home())
    for path in [Path(given)] if (given := environment.get("NETRC")) else [home / ".netrc", home / "_netrc"]:
        if not path.is_file():
            continue
        try:
            found = netrc.netrc(str(path)).authenticators(urlsplit(base_url(environment)).netloc)
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "msg", None) or type(error).__name__
            raise StoreError(f"{path}: cannot be read ({reason}); correct it, or set {KEY}") from None
        if found is not None and found[2]:
            return found[2]
    return None


def needed_key(what: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the key, which is needed.

    Raises:
        StoreError: there is none; begins with `what`.
    """
    if key := api_key(environment):
        return key
    where = urlsplit(base_url(environment)).netloc
    raise StoreError(f"{what}: there is no API key for {where}; set {KEY}, or call `wandb login`")


def _of_settings(environment: Mapping[str, str]) -> str | None:
    """The address in W&B's own file of settings."""
    import configparser

    folder = environment.get("WANDB_CONFIG_DIR") or Path(environment.get("HOME") or Path.home()) / ".config" / "wandb"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(Path(folder) / "settings", encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):  # not ours to judge: its own program says so
        return None
    return parser.get("default", "base_url", fallback=None)
