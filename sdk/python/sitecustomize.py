"""Puts `cronium` into the builtins, so that scripts need no import.

Python runs this at every start when our directory is on PYTHONPATH. The package itself
is imported at the first use of the name. A sitecustomize that the image or the user
brings runs as if this one were not here.
"""

import builtins
import sys


class _Cronium:
    """Stands for the package `cronium` until it is used."""

    def __getattr__(self, name):
        import cronium

        if getattr(builtins, "cronium", None) is self:
            builtins.cronium = cronium
        return getattr(cronium, name)

    def __dir__(self):
        import cronium

        return dir(cronium)


def _run_next():
    """Run the sitecustomize that Python would have found without ours."""
    ours = __file__.rpartition("/")[0]
    path = [entry for entry in sys.path if entry != ours]
    for finder in sys.meta_path:
        if getattr(finder, "__name__", "") == "PathFinder":
            spec = finder.find_spec("sitecustomize", path)
            if spec is not None and spec.loader is not None:
                module = type(sys)("sitecustomize")
                module.__spec__ = spec
                module.__file__ = spec.origin
                module.__loader__ = spec.loader
                sys.modules["sitecustomize"] = module
                spec.loader.exec_module(module)
            return


builtins.cronium = _Cronium()
_run_next()
