from __future__ import annotations

import msgspec

from turnout.config import load_settings
from turnout.config.presets import DEFAULT_PRESET, PRESETS
from turnout.config.settings_schema import PATHS, BoundTable, BreakerTable, CallsTable, PolicyTable, SettingsTable
from turnout.core.calls import BreakerRules, CallRules
from turnout.core.policy import Budget, Policy
from turnout.core.spend_bound import SpendBound


def test_every_key_of_the_policy_can_be_set_and_has_the_cores_default() -> None:
    core = {field.name: field for field in msgspec.structs.fields(Policy)}
    ours = PolicyTable.model_fields
    assert set(ours) == set(core) | {"cheap", "capable", "preset", "calibration", "bound"}
    for name in set(core) - {"candidates"} - set(PRESETS[DEFAULT_PRESET]):
        assert ours[name].default == core[name].default, name


def test_a_schema_for_editors_names_the_presets() -> None:
    schema = SettingsTable.model_json_schema()
    assert schema["$defs"]["PolicyTable"]["properties"]["preset"]["enum"] == list(PRESETS)


def test_a_spent_budget_is_handled_as_in_the_core() -> None:
    table = PolicyTable.model_validate({"budget": {"usd": "1"}})
    assert table.budget is not None
    assert table.budget.when_spent == Budget(limit_pico=1).when_spent


def test_every_rule_of_calls_can_be_set_and_has_the_cores_default() -> None:
    for table, rules in ((CallsTable, CallRules), (BreakerTable, BreakerRules)):
        core = {field.name: field.default for field in msgspec.structs.fields(rules) if field.name != "breaker"}
        ours = {name: field.default for name, field in table.model_fields.items() if name != "breaker"}
        assert {name.replace("_seconds", "_s"): default for name, default in ours.items()} == core
    assert load_settings().calls == CallRules()


def test_the_bound_has_the_keys_of_the_core_with_an_amount_in_usd() -> None:
    core = {field.name for field in msgspec.structs.fields(SpendBound)}
    assert set(BoundTable.model_fields) == core - {"kappa_pico"} | {"kappa_usd"}


def test_paths_are_keys_that_there_are() -> None:
    for *tables, key in PATHS:
        fields = SettingsTable.model_fields
        for table in tables:
            fields = type(fields[table].default).model_fields
        assert "Path" in str(fields[key].annotation)
