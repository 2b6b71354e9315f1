"""Where settings come from, and how what is wrong with them is said.

Written for `worker.settings`: which variables are known, what a file holds, and errors
that name a key as the operator typed it and never the value, which may be a password.
"""

import difflib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from contracts.errors import CroniumError
from contracts.validation import problems_of
from worker.units import Duration, Size, format_duration, format_size

logger = logging.getLogger(__name__)

(_SIZE_MARK,), (_DURATION_MARK,) = get_args(Size)[1:], get_args(Duration)[1:]


class SettingsError(CroniumError):
    """The settings cannot be used."""

    hint = "docs/configuration.md lists every key with its default."


class Key(NamedTuple):
    """One setting."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def dotted(self) -> str:
        """Its place in the file: `docker.slots`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Its variable: `CRONIUM_DOCKER_SLOTS`."""
        return "_".join(("CRONIUM", *self.path)).upper()


class Variables(EnvSettingsSource):
    """The environment, without variables that are no settings of ours."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        known = {key.variable.lower() for key in keys_of(self.settings_cls)}
        loaded = super()._load_env_vars()
        return {name: value for name, value in loaded.items() if name in known}

    def decode_complex_value(
        self, field_name: str, field: FieldInfo, value: Any
    ) -> Any:
        """Read a list as `a,b,c` or as JSON."""
        if not value.lstrip().startswith("["):
            return [part.strip() for part in value.split(",") if part.strip()]
        try:
            return json.loads(value)
        except ValueError:
            return value


def keys_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield every setting of a model, groups opened."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        if isinstance(field.annotation, type) and issubclass(
            field.annotation, BaseModel
        ):
            yield from keys_of(field.annotation, path)
        else:
            yield Key(path, field)


# `cronium apply` reads whose a directory's files are from a file of the same name.
PROJECT_KEY = "project"


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the content of a settings file.

    Raises:
        SettingsError: It cannot be read, or is not a mapping of keys.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"cannot read {file}: {reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise SettingsError(f"{where}: {problem}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(
        isinstance(key, str) for key in content
    ):
        raise SettingsError(f"{file}: expected keys and values, as `docker: {{...}}`")
    # A group whose keys are all commented out is null in YAML.
    return {
        key: value
        for key, value in content.items()
        if value is not None and key != PROJECT_KEY
    }


def explain(
    error: ValidationError,
    model: type[BaseSettings],
    file: Path | None,
    environment: Mapping[str, str],
) -> SettingsError:
    """Return a failed validation as one error with a sentence per key."""
    set_here = {name.upper() for name, value in environment.items() if value}
    variables = {key.dotted: key.variable for key in keys_of(model)}
    sentences = []
    for problem in problems_of(error, model):
        # A list's item is named by its list: that is what was typed.
        variable = variables.get(problem.path.partition("[")[0])
        if variable in set_here:
            where = variable
        else:
            where = f"{file}: {problem.path}" if file else problem.path
        sentences.append(f"{where}: {problem.message}")
    return SettingsError("; ".join(sentences))


def warn_of_unknown(
    model: type[BaseSettings], environment: Mapping[str, str], others: set[str]
) -> None:
    """Warn of `CRONIUM_*` variables that have no meaning, with the nearest that has."""
    known = {key.variable for key in keys_of(model)} | others
    for name in sorted(environment):
        if name.startswith("CRONIUM_") and name.upper() not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f": did you mean {close[0]}?" if close else ""
            logger.warning("%s is not a setting and was ignored%s", name, advice)


def reference(model: type[BaseSettings]) -> str:
    """Return all keys as a Markdown table."""
    rows = [
        f"| `{key.dotted}` | `{key.variable}` | {_default(key.field)} "
        f"| {key.field.description} |"
        for key in keys_of(model)
    ]
    return "\n".join(
        ["| Key | Variable | Default | Meaning |", "|---|---|---|---|", *rows]
    )


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    value = field.default
    if _SIZE_MARK in field.metadata:
        value = format_size(value)
    elif _DURATION_MARK in field.metadata:
        value = format_duration(value)
    elif isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, list):
        value = ", ".join(value)
    return "unset" if value is None or value == "" else f"`{value}`"
