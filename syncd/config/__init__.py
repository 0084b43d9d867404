"""YAML with positions -> checked settings. Secrets by reference; every problem at once, with file, line and column.

    text        YAML -> a tree that knows its places
    shapes      what a value may look like: checker and JSON Schema out of one statement
    vocabulary  the words of `syncd.yaml`, in shapes
    apps        each app against its connector's spec
    fields      the fields of a contact and their rules
    load        all of it, to a `Config`
    settings    `Config` and what it is made of
    secrets     env:NAME, file:/path, cmd:[...]
    process     settings of the process (SYNCD_*, .env, /run/secrets)
    schema      the JSON Schema for editors

Must not import a connector, nor the registry: the specs of connectors come in as a function.
"""

from syncd.config.apps import Specs
from syncd.config.load import load_config
from syncd.config.process import Process, process_settings
from syncd.config.schema import schema
from syncd.config.secrets import Secret
from syncd.config.settings import AppConfig, Config, FieldConfig, FileName, Policy
from syncd.config.starter import starter

__all__ = [
    "AppConfig",
    "Config",
    "FieldConfig",
    "FileName",
    "Policy",
    "Process",
    "Secret",
    "Specs",
    "load_config",
    "process_settings",
    "schema",
    "starter",
]
