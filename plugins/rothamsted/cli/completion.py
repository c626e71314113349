"""Make the scripts that complete a command line in bash, zsh and fish from the table of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rothamsted.cli.usage import COMMON, USAGES, Usage

_SWEEPS = "rothamsted list -q 2>/dev/null"  # prints the names of sweeps
_OPTIONS = tuple(words[-1] for words, _ in COMMON.values())


def script(shell: str, keys_of_files: tuple[str, ...]) -> str:
    """Write the script of one shell.

    Args:
        shell: One of SHELLS.
        keys_of_files: The dotted keys of a sweep file.
    """
    return SHELLS[shell](keys_of_files)


def words_of(command: str, keys_of_files: tuple[str, ...]) -> list[str]:
    """List what may follow a command: keys with their =, bare options, keys of the sweep file, names of shells."""
    usage = USAGES[command]
    own = [usage.written(key) if key in usage.switches else f"{key}=" for key in usage.keys]
    of_file = [f"{key}=" for key in keys_of_files] if usage.completes == "file" and usage.others else []
    bare = {"key": list(keys_of_files), "shell": list(SHELLS)}.get(usage.completes, [])
    return [*bare, *own, *of_file, *_OPTIONS]


def _bash(keys: tuple[str, ...]) -> str:
    cases = "\n".join(
        f"    {name}) words='{' '.join(words_of(name, keys))}'; names='{_names_in(usage)}' ;;"
        for name, usage in USAGES.items()
    )
    return f"""# rothamsted in bash. Use it with: source <(rothamsted completion bash)
_rothamsted() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words='' names=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(USAGES)}' -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  if [ "$word" = '=' ] || [ "${{COMP_WORDS[COMP_CWORD-1]}}" = '=' ]; then
    return  # a value: files
  fi
  [ "$names" = sweeps ] && words="$words $({_SWEEPS})"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ "$names" = files ] && COMPREPLY+=($(compgen -f -- "$word"))
  case "${{COMPREPLY[0]}}" in
    *=) compopt -o nospace 2>/dev/null ;;
  esac
}}
complete -o bashdefault -o default -F _rothamsted rothamsted
"""


def _zsh(keys: tuple[str, ...]) -> str:
    commands = "\n".join(f"    {_quoted(f'{name}:{usage.does}')}" for name, usage in USAGES.items())
    cases = "\n".join(
        f"    {name}) list=({' '.join(map(_quoted, words_of(name, keys)))}); names={_names_in(usage) or 'none'} ;;"
        for name, usage in USAGES.items()
    )
    return f"""#compdef rothamsted
# rothamsted in zsh. Use it with: source <(rothamsted completion zsh)
_rothamsted() {{
  local -a commands list
  local names=none
  commands=(
{commands}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
{cases}
  esac
  if [[ $PREFIX == *=* ]]; then
    compset -P '*='
    _files  # the value of a key
    return
  fi
  compadd -S '' -- ${{(M)list:#*=}}
  compadd -- ${{list:#*=}}
  [[ $names == sweeps ]] && compadd -- ${{(f)"$({_SWEEPS})"}}
  [[ $names == files ]] && _files
}}
compdef _rothamsted rothamsted
"""


def _fish(keys: tuple[str, ...]) -> str:
    lines = ["# rothamsted in fish. Use it with: rothamsted completion fish | source", "complete -c rothamsted -f"]
    for name, usage in USAGES.items():
        lines.append(f"complete -c rothamsted -n __fish_use_subcommand -a {name} -d {_quoted(usage.does)}")
        seen = f"complete -c rothamsted -n '__fish_seen_subcommand_from {name}'"
        lines.append(f"{seen} -a {_quoted(' '.join(words_of(name, keys)))}")
        lines += {"files": [f"{seen} -F"], "sweeps": [f"{seen} -a '({_SWEEPS})'"]}.get(_names_in(usage), [])
    return "\n".join([*lines, ""])


def _names_in(usage: Usage) -> str:
    """What the words of a command name, where that is asked for when they are completed."""
    return {"file": "files", "sweep": "sweeps"}.get(usage.completes, "")


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


SHELLS: Mapping[str, Callable[[tuple[str, ...]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
