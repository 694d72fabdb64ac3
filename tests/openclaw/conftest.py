"""The gateway's test runs when it is asked for alone: `pytest -m openclaw`."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run it only when it is asked for: it fetches 650 MB from npm once."""
    ours = [item for item in items if "tests/openclaw/" in item.path.as_posix()]
    if "openclaw" not in str(config.getoption("markexpr")):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
