"""The bounds of the port are declared once, and checked."""

import pytest

from quintet.config.server_limits import ServerLimits, limits_table


def test_every_limit_has_a_setting_of_its_own_and_a_meaning() -> None:
    rows = list(limits_table())
    assert len({row.setting for row in rows}) == len(rows) > 20
    assert all(row.setting.startswith("QUINTET_") and row.meaning for row in rows)


def test_every_default_is_within_its_range() -> None:
    assert all(row.least <= row.default <= row.most for row in limits_table())
    ServerLimits()


@pytest.mark.parametrize("row", list(limits_table()), ids=lambda row: row.setting)
def test_a_value_outside_of_the_range_is_refused_by_the_name_of_its_setting(row: object) -> None:
    name, setting, least, most = (getattr(row, each) for each in ("name", "setting", "least", "most"))
    for value in (least - 1, most + 1):
        with pytest.raises(ValueError, match=setting):
            ServerLimits(**{name: value})
