"""The revisions that the operator compares with are those of the migrations."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from kilonova_operator.storage.sql import migrations
from kilonova_operator.storage.sql.schema_head import HEADS


@pytest.mark.parametrize(("chain", "head"), HEADS.items())
def test_the_operator_needs_the_newest_migration(chain: str, head: str) -> None:
    config = Config()
    folder = Path(migrations.__file__).parent / chain
    config.set_main_option("script_location", str(folder))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == head


@pytest.mark.parametrize("chain", HEADS)
def test_revisions_of_a_chain_sort_by_name(chain: str) -> None:
    config = Config()
    folder = Path(migrations.__file__).parent / chain
    config.set_main_option("script_location", str(folder))
    newest_first = [
        script.revision
        for script in ScriptDirectory.from_config(config).walk_revisions()
    ]
    assert newest_first == sorted(newest_first, reverse=True)
