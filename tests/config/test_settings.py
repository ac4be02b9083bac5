from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config import PAIR_4, ConfigError, load_catalog, load_settings
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.config.policy_lock_text import lock_text
from turnout.config.settings import default_ledger
from turnout.core.catalog import UnknownModelError
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.bounded import DEFAULT_BOUND

Write = Callable[[str], Path]
HAIKU = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_without_file_and_variables_there_are_defaults() -> None:
    settings = load_settings()
    assert settings.rules == Policy(candidates=PAIR_4.candidates)
    assert settings.policy(load_catalog()) == settings.rules
    assert (settings.classifier.kind, settings.classifier.model, settings.classifier.timeout_seconds) == (
        "keyword",
        HAIKU,
        10.0,
    )
    assert settings.ledger == Path.home() / ".local" / "share" / "turnout" / "ledger.sqlite3"
    assert (settings.default_profile, settings.region, settings.overrides, settings.file) == (None, None, None, None)
    assert settings.max_prompt_chars == 200_000
    assert settings.record_text is False


def test_a_whole_file(write: Write) -> None:
    path = write(
        """
        ledger = "data/ledger.sqlite3"
        overrides = "models.toml"
        default_profile = "eu"
        region = "eu-west-1"
        max_prompt_chars = 1000
        record_text = true
        texts = "texts.jsonl"

        [policy]
        simple_bar = 0.6
        quality_bar = 0.85
        simple_share = 0.5
        markers = "fill"
        fill_ttl = "1h"
        adapt = true
        budget = { usd = "12.50", when_spent = "cheapest" }

        [[policy.candidates]]
        model = "us.haiku-5.5"
        rank = 10
        [[policy.candidates]]
        model = "us.sonnet-5.5"
        rank = 20
        [[policy.candidates]]
        model = "us.mine"
        rank = 30

        [classifier]
        kind = "cascade"
        timeout_seconds = 2.5
        model = "anthropic/claude-haiku-4-5"
        examples = "examples.jsonl"
        rules = "/etc/turnout/rules.toml"
        doubt = [0.2, 0.8]

        [application_profiles]
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3" = "us.haiku-5.5"
        """
    )
    (path.parent / "models.toml").write_text(
        '[models.mine]\nname = "M"\naliases = ["mine"]\ncontext_window = 1\n'
        'at.bedrock = { id = "acme.mine", price = "free" }'
    )
    settings = load_settings(path)
    policy = settings.policy(load_catalog(settings.overrides))
    assert policy == Policy(
        candidates=(
            Candidate("bedrock/us.anthropic.claude-haiku-5-5", 10),
            Candidate("bedrock/us.anthropic.claude-sonnet-5-5", 20),
            Candidate("bedrock/us.acme.mine", 30),
        ),
        simple_bar=0.6,
        quality_bar=0.85,
        simple_share=0.5,
        markers="fill",
        fill_ttl="1h",
        adapt=True,
        budget=Budget(limit_pico=12_500_000_000_000, when_spent="cheapest"),
    )
    classifier = settings.classifier
    assert (classifier.kind, classifier.timeout_seconds, classifier.doubt) == ("cascade", 2.5, (0.2, 0.8))
    assert classifier.model == "anthropic/claude-haiku-4-5-20251001"
    # Relative paths are taken from where the file is, not from where the process runs.
    assert classifier.examples == path.parent / "examples.jsonl"
    assert classifier.rules == Path("/etc/turnout/rules.toml")
    assert settings.ledger == path.parent / "data" / "ledger.sqlite3"
    assert settings.overrides == path.parent / "models.toml"
    assert (settings.default_profile, settings.region) == ("eu", "eu-west-1")
    assert (settings.max_prompt_chars, settings.record_text, settings.file) == (1000, True, path)
    assert settings.texts == path.parent / "texts.jsonl"


def test_cheap_and_capable_are_short_for_two_candidates(write: Write) -> None:
    settings = load_settings(write('[policy]\ncheap = "global.haiku-5.5"\ncapable = "eu.opus-5.5"'))
    assert settings.rules.candidates == (
        Candidate("bedrock/global.anthropic.claude-haiku-5-5", 0),
        Candidate("bedrock/eu.anthropic.claude-opus-5-5", 1),
    )
    assert settings.classifier.model == "bedrock/global.anthropic.claude-haiku-5-5"


def test_spending_is_bound_where_the_settings_say_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().bound is None
    # An empty table is the bound that replays are held to.
    assert load_settings(write("[policy.bound]")).bound == DEFAULT_BOUND
    path = write(
        "[policy.bound]\nepsilon = 0\nkappa_usd = '0.25'\ncall_limit = 3\n"
        "growth_limit_tokens = 7\noutput_limit_tokens = 9"
    )
    assert load_settings(path).bound == SpendBound(
        epsilon=0.0, kappa_pico=25 * 10**10, call_limit=3, growth_limit_tokens=7, output_limit_tokens=9
    )
    monkeypatch.setenv("TURNOUT_POLICY__BOUND__EPSILON", "0.5")
    bound = load_settings(path).bound
    assert bound is not None
    assert (bound.epsilon, bound.call_limit) == (0.5, 3)


def test_variables_win_over_the_file_key_by_key(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write('ledger = "a"\n[policy]\nsimple_bar = 0.1\nquality_bar = 0.2\n[policy.budget]\nusd = 1')
    monkeypatch.setenv("TURNOUT_LEDGER", "~/b.sqlite3")
    monkeypatch.setenv("TURNOUT_POLICY__SIMPLE_BAR", "0.75")
    monkeypatch.setenv("TURNOUT_POLICY__BUDGET__WHEN_SPENT", "cheapest")
    monkeypatch.setenv("TURNOUT_RECORD_TEXT", "true")
    monkeypatch.setenv("TURNOUT_CLASSIFIER__DOUBT", "[0.1, 0.9]")
    monkeypatch.setenv("TURNOUT_APPLICATION_PROFILES", '{"a1": "us.haiku-4.5"}')
    monkeypatch.setenv("TURNOUT_REGION", "")
    settings = load_settings(path)
    assert settings.ledger == Path.home() / "b.sqlite3"
    assert (settings.rules.simple_bar, settings.rules.quality_bar) == (0.75, 0.2)
    assert settings.rules.budget == Budget(limit_pico=10**12, when_spent="cheapest")
    assert settings.record_text is True
    assert settings.classifier.doubt == (0.1, 0.9)
    assert settings.application_profiles == {"a1": HAIKU.replace("global.", "us.")}
    # An empty variable is not set.
    assert settings.region is None


def test_rules_of_calls_are_read_from_file_and_variables(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_CALLS__ATTEMPTS_PER_MODEL", "5")
    monkeypatch.setenv("TURNOUT_CALLS__BREAKER__OPEN_SECONDS", "2.5")
    calls = load_settings(
        write("[calls]\ndeadline_seconds = 30\nattempts_per_model = 2\n[calls.breaker]\nprobes = 3")
    ).calls
    assert (calls.deadline_s, calls.attempts_per_model) == (30.0, 5)
    assert (calls.breaker.open_s, calls.breaker.probes) == (2.5, 3)


def test_candidates_can_be_given_as_json_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TURNOUT_POLICY__CANDIDATES",
        '[{"model": "global.haiku-4.5", "rank": 0}, {"model": "local/smollm2", "rank": 3}]',
    )
    assert load_settings().rules.candidates == (Candidate(HAIKU, 0), Candidate("local/smollm2-135m-instruct", 3))


def test_the_file_is_named_else_by_variable_else_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("named", "variable", "turnout"):
        (tmp_path / f"{name}.toml").write_text(f'region = "{name}"')
    assert load_settings().region == "turnout"
    monkeypatch.setenv("TURNOUT_CONFIG", str(tmp_path / "variable.toml"))
    assert load_settings().region == "variable"
    assert load_settings(tmp_path / "named.toml").region == "named"
    monkeypatch.setenv("TURNOUT_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(ConfigError, match=r"gone\.toml: there is no such file"):
        load_settings()


def test_the_ledger_lies_in_the_users_data_directory() -> None:
    assert default_ledger({"XDG_DATA_HOME": "/data"}) == Path("/data/turnout/ledger.sqlite3")
    home = Path.home() / ".local" / "share" / "turnout" / "ledger.sqlite3"
    assert default_ledger({}) == home
    # The XDG specification has relative paths ignored.
    assert default_ledger({"XDG_DATA_HOME": "data"}) == home


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[polcy]", "unknown key 'polcy'; the nearest known one is 'policy'"),
        ("[policy]\ncheep = 'x'", "policy: unknown key 'cheep'; the nearest known one is 'cheap'"),
        ("[classifier]\ntimeout = 3", "classifier: unknown key 'timeout'; the nearest known one is 'timeout_seconds'"),
        ("[policy.bound]\nkappa = 3", "policy.bound: unknown key 'kappa'; the nearest known one is 'kappa_usd'"),
        ("[policy.bound]\nepsilon = -0.1", "policy.bound.epsilon: must be at least 0"),
        ("[policy.bound]\nepsilon = inf", "policy.bound.epsilon: must be a finite number"),
        ("[policy.bound]\nkappa_usd = -1", "policy.bound.kappa_usd: must be at least 0"),
        ("[policy.bound]\ncall_limit = 0", "policy.bound.call_limit: must be at least 1"),
        ("[policy.bound]\ncall_limit = true", "policy.bound.call_limit: must be a number, not true or false"),
        (
            "[policy.bound]\nkappa_usd = '0.0000000000001'",
            "policy.bound.kappa_usd: amounts finer than 1e-12 USD cannot be kept exactly: 1E-13",
        ),
        ("[policy.budget]\nused = 3", "policy.budget: unknown key 'used'; the nearest known one is 'usd'"),
        (
            "[[policy.candidates]]\nmodel = 'global.haiku-4.5'\nrnk = 1",
            "policy.candidates[0]: unknown key 'rnk'; the nearest known one is 'rank'",
        ),
        ("[[policy.candidates]]\nmodel = 'global.haiku-4.5'", "policy.candidates[0].rank: is needed"),
        ("policy.candidates = []", "policy.candidates: must be a list of at least 1"),
        ("policy.candidates = 'x'", "policy.candidates: must be a list"),
        ("policy = 3", "policy: must be a table"),
        ("[policy]\nsimple_bar = 'high'", "policy.simple_bar: must be a number"),
        ("[policy]\nsimple_bar = true", "policy.simple_bar: must be a number, not true or false"),
        ("[policy]\nsimple_bar = nan", "policy.simple_bar: must be a finite number"),
        ("[policy]\nsimple_bar = 1.5", "policy.simple_bar: must be at most 1"),
        ("[policy]\nquality_bar = -0.5", "policy.quality_bar: must be at least 0"),
        ("[policy]\nsimple_share = 1", "policy.simple_share: must be below 1"),
        ("[policy]\nsimple_share = 0", "policy.simple_share: must be above 0"),
        ("[policy]\nmarkers = 'none'", "policy.markers: must be 'user', 'fill' or 'manage'"),
        (
            "[policy]\nmarkers = 'manage'",
            "policy: markers 'manage' weighs writes against calls ahead: it needs horizon 'session'",
        ),
        ("[policy]\nfill_ttl = '2h'", "policy.fill_ttl: must be '5m' or '1h'"),
        ("[policy]\nhorizon = 'week'", "policy.horizon: must be 'call' or 'session'"),
        ("[policy]\nadapt = 'perhaps'", "policy.adapt: must be true or false"),
        ("[policy.budget]\nusd = 'lots'", "policy.budget.usd: must be a number"),
        ("[policy.budget]\nusd = 0", "policy.budget.usd: must be above 0"),
        ("[policy.budget]\nusd = true", "policy.budget.usd: must be a number, not true or false"),
        ("[policy.budget]\nusd = inf", "policy.budget.usd: must be a finite number"),
        (
            "[policy.budget]\nusd = '0.0000000000001'",
            "policy.budget.usd: amounts finer than 1e-12 USD cannot be kept exactly: 1E-13",
        ),
        (
            "[policy]\nbudget = { when_spent = 'stop', usd = 1 }",
            "policy.budget.when_spent: must be 'refuse' or 'cheapest'",
        ),
        ("[policy]\ncheap = 'global.haiku-4.5'", "policy: 'cheap' and 'capable' go together"),
        (
            "[policy]\ncheap = 'global.haiku-4.5'\ncapable = 'global.opus-5'\n"
            "candidates = [{ model = 'global.haiku-4.5', rank = 1 }]",
            "policy: either 'candidates' or 'cheap' and 'capable', not both",
        ),
        (
            "[policy]\ncheap = 'global.haiku-4.4'\ncapable = 'global.opus-5'",
            "policy.cheap: unknown model 'global.haiku-4.4'; the nearest known one is 'global.haiku-4.5'",
        ),
        (
            "default_profile = 'eu'\n[policy]\ncheap = 'global.haiku-4.5'\ncapable = 'anthropic.claude-opus-5'",
            "policy.capable: the model 'anthropic.claude-opus-5' has no inference profile: put one of global., us., "
            "eu., jp., au., apac., us-gov. before it, such as 'global.anthropic.claude-opus-5', "
            "or set default_profile for requests that name none",
        ),
        (
            "[[policy.candidates]]\nmodel = 'global.haiku-4.5'\nrank = 1\n"
            "[[policy.candidates]]\nmodel = 'opneai/gpt-5'\nrank = 2",
            "policy.candidates[1].model: unknown model 'opneai/gpt-5'; the nearest known one is 'openai/gpt-5'",
        ),
        (
            "[[policy.candidates]]\nmodel = 'global.haiku-4.5'\nrank = 1\n"
            "[[policy.candidates]]\nmodel = 'global.opus-5'\nrank = 1",
            "policy: two candidates have the same rank: [1, 1]",
        ),
        (
            "[[policy.candidates]]\nmodel = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/a'\nrank = 1\n"
            "[application_profiles]\na = 'us.haiku-4.5'",
            "policy.candidates[0].model: an application profile cannot be called yet: name the model behind it",
        ),
        (
            "[classifier]\nkind = 'keywords'",
            "classifier.kind: must be 'llm', 'keyword', 'embedding', 'learned', 'cascade' or 'none'",
        ),
        ("[classifier]\ntimeout_seconds = 0", "classifier.timeout_seconds: must be above 0"),
        ("[calls]\nstall_seconds = 0", "calls.stall_seconds: must be above 0"),
        ("[calls]\nattempts_per_model = true", "calls.attempts_per_model: must be a number, not true or false"),
        ("[calls.breaker]\nerror_rate = 2", "calls.breaker.error_rate: must be at most 1"),
        ("[calls]\ndeadline = 3", "calls: unknown key 'deadline'; the nearest known one is 'deadline_seconds'"),
        ("[classifier]\nmodel = ''", "classifier.model: must not be empty"),
        (
            "[classifier]\nmodel = 'local/smollm'",
            "classifier.model: unknown model 'local/smollm'; the nearest known one is 'local/smollm2'",
        ),
        ("[classifier]\nexamples = 3", "classifier.examples: must be a path"),
        ("[classifier]\ndoubt = [0.2]", "classifier.doubt[1]: is needed"),
        ("[classifier]\ndoubt = [0.2, 0.3, 0.4]", "classifier.doubt: must be a list of at most 2"),
        ("[classifier]\ndoubt = [0.8, 0.2]", "classifier: 'doubt' must be a lower and an upper bound, in this order"),
        ("ledger = 3", "ledger: must be a path"),
        (
            "default_profile = 'eurp'",
            "default_profile: unknown inference profile 'eurp'; the nearest known one is 'eu'",
        ),
        ("region = 3", "region: must be text"),
        ("application_profiles = 3", "application_profiles: must be a table"),
        (
            "[application_profiles]\nabc = 'us.haiku-4.4'",
            "application_profiles.abc: unknown model 'us.haiku-4.4'; the nearest known one is 'us.haiku-4.5'",
        ),
        (
            "[pins.tags]\nvip = 'sonnet-4.7'",
            "pins.tags.vip: unknown model 'sonnet-4.7'; the nearest known one is 'sonnet-4.6'",
        ),
        (
            "[pins.tags]\nvip = 'global.sonnet-5.5'",
            "pins.tags.vip: unknown candidate 'bedrock/global.anthropic.claude-sonnet-5-5'; the nearest known one is "
            "'bedrock/global.anthropic.claude-sonnet-4-6'",
        ),
        (
            "[pins.tags]\nvip = 'sonnet-5.5'",
            "pins.tags.vip: the model 'sonnet-5.5' has no inference profile: put one of global., us., eu., jp., au., "
            "apac., us-gov. before it, such as 'global.anthropic.claude-sonnet-5-5', or set default_profile for "
            "requests that name none",
        ),
        ("[pins.tags]\nvip = 3", "pins.tags.vip: must be text"),
        ("[pins]\ntag = {}", "pins: unknown key 'tag'; the nearest known one is 'tags'"),
        ("max_prompt_chars = 0", "max_prompt_chars: must be above 0"),
        ("max_prompt_chars = 1.5", "max_prompt_chars: must be a whole number"),
        ("max_prompt_chars = 'many'", "max_prompt_chars: must be a whole number"),
        ("record_text = 'sometimes'", "record_text: must be true or false"),
        ("api_key = 'sk-secret'", "unknown key 'api_key'; the nearest known one is 'policy'"),
        ("[policy", "not valid TOML: expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_errors_name_file_key_and_what_is_wanted(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "TURNOUT_LEDGR",
            "x",
            "environment: unknown variable 'TURNOUT_LEDGR'; the nearest known one is 'TURNOUT_LEDGER'",
        ),
        (
            "TURNOUT_POLICY__SIMPLE_BAR",
            "high",
            "environment variable TURNOUT_POLICY__SIMPLE_BAR: policy.simple_bar: must be a number",
        ),
        ("TURNOUT_POLICY", "{bad", "environment variable TURNOUT_POLICY: must be JSON"),
        (
            "TURNOUT_POLICY__CANDIDATES",
            "[bad",
            "environment variable TURNOUT_POLICY__CANDIDATES: policy.candidates: must be a list",
        ),
        (
            "TURNOUT_DEFAULT_PROFILE",
            "eurp",
            "environment variable TURNOUT_DEFAULT_PROFILE: default_profile: "
            "unknown inference profile 'eurp'; the nearest known one is 'eu'",
        ),
        (
            "TURNOUT_APPLICATION_PROFILES__abc",
            "us.haiku-4.4",
            "environment variable TURNOUT_APPLICATION_PROFILES__ABC: application_profiles.abc: "
            "unknown model 'us.haiku-4.4'; the nearest known one is 'us.haiku-4.5'",
        ),
    ],
)
def test_errors_of_variables_name_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert str(caught.value) == message


def test_a_broken_file_of_overrides_is_found_when_settings_are_loaded(write: Write) -> None:
    path = write('overrides = "models.toml"')
    models = path.parent / "models.toml"
    with pytest.raises(ConfigError, match=r"models\.toml: there is no such file"):
        load_settings(path)
    models.write_text("[models.gpt-5]\ncontext_windwo = 1")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(caught.value) == (
        f"{models}: models.gpt-5: unknown key 'context_windwo'; the nearest known one is 'context_window'"
    )


def test_a_catalog_without_a_candidate_is_refused(write: Write) -> None:
    path = write("")
    settings = load_settings(path)
    fewer = load_catalog().only([PAIR_4.cheap])
    with pytest.raises(ConfigError) as caught:
        settings.policy(fewer)
    assert str(caught.value) == (
        f"{path}: policy: unknown model 'bedrock/global.anthropic.claude-sonnet-4-6'; "
        f"the nearest known one is '{PAIR_4.cheap}'"
    )


def test_names_in_incoming_requests_are_resolved_by_settings(write: Write) -> None:
    settings = load_settings(
        write('default_profile = "jp"\n[application_profiles]\na1b2c3 = "us.anthropic.claude-opus-5-5"')
    )
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
    assert settings.resolve("anthropic.claude-sonnet-5-5") == "bedrock/jp.anthropic.claude-sonnet-5-5"
    assert settings.resolve("us.anthropic.claude-sonnet-5-5") == "bedrock/us.anthropic.claude-sonnet-5-5"
    assert settings.resolve(arn) == "bedrock/us.anthropic.claude-opus-5-5"
    with pytest.raises(UnknownModelError, match="nearest known one is"):
        settings.resolve("gpt-9")
    with pytest.raises(ConfigError, match="has no inference profile"):
        load_settings().resolve("anthropic.claude-sonnet-5-5")


_KEYS = [
    "policy",
    "classifier",
    "ledger",
    "policy.budget",
    "policy.bound",
    "policy.candidates",
    "classifier.doubt",
    "zzz",
    "record_text",
]
_VALUES = ["1", "true", "'x'", "[]", "{}", "[1, 2]", "nan", "2026-11-23", "{ usd = 1 }", "[{ model = 'x', rank = 1 }]"]


@given(lines=st.lists(st.tuples(st.sampled_from(_KEYS), st.sampled_from(_VALUES)), max_size=4))
def test_no_file_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "turnout.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in lines))
    with contextlib.suppress(ConfigError):
        assert load_settings(path).file == path


def test_tags_are_pinned_to_candidates_by_any_name_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        """
        [pins.tags]
        vip = "sonnet-4.6"
        batch = "global.haiku-4.5"
        """
    )
    pinned = load_settings(path).pinned_tags
    assert list(pinned.items()) == [("vip", PAIR_4.capable), ("batch", PAIR_4.cheap)]
    assert load_settings(write("")).pinned_tags == {}


def test_a_name_that_two_candidates_have_needs_its_inference_profile(write: Write) -> None:
    candidates = """
        [policy]
        cheap = "us.sonnet-4.6"
        capable = "global.sonnet-4.6"
        """
    with pytest.raises(ConfigError, match=r"pins\.tags\.vip: the model 'sonnet-4.6' has no inference profile"):
        load_settings(write(candidates + '[pins.tags]\nvip = "sonnet-4.6"'))
    pinned = load_settings(write(candidates + '[pins.tags]\nvip = "us.sonnet-4.6"')).pinned_tags
    assert pinned == {"vip": "bedrock/us.anthropic.claude-sonnet-4-6"}


def test_a_tag_is_pinned_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_PINS__TAGS__VIP", "sonnet-4.6")
    assert load_settings().pinned_tags == {"vip": PAIR_4.capable}


def test_a_lock_holds_and_the_settings_propose(tmp_path: Path) -> None:
    proposal = '[policy]\npreset = "quality"\n[policy.bound]\n[routes.mine]\nsimple_bar = 0.1\n'
    (tmp_path / "a.toml").write_text(proposal)
    alone = load_settings(tmp_path / "a.toml")
    assert (alone.lock, alone.policy_file, alone.proposed, alone.proposed_bound) == (
        None,
        None,
        alone.rules,
        alone.bound,
    )
    (tmp_path / "turnout.toml").write_text('policy_file = "lock/policy.toml"\n' + proposal)
    with pytest.raises(
        ConfigError, match=r"turnout\.toml: policy_file: .*policy\.toml: there is no such file: `turnout pl"
    ):
        load_settings(tmp_path / "turnout.toml")
    unlocked = load_settings(tmp_path / "turnout.toml", locked=False)
    assert (unlocked.rules, unlocked.lock, unlocked.policy_file) == (alone.rules, None, tmp_path / "lock/policy.toml")
    lock = lock_of(
        msgspec.structs.replace(alone.rules, simple_bar=0.42), None, load_catalog(), LockedClassifier(kind="keyword")
    )
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock/policy.toml").write_text(lock_text(lock))
    held = load_settings(tmp_path / "turnout.toml")
    assert (held.rules, held.bound, held.routes) == (lock.policy, None, {})
    assert (held.proposed, held.proposed_bound) == (alone.rules, alone.bound)
    assert held.proposed_routes == alone.routes
    assert held.lock == lock
    (tmp_path / "lock/policy.toml").write_text("format = 1\n")
    with pytest.raises(ConfigError, match=r"policy\.toml: object missing required field `policy`"):
        load_settings(tmp_path / "turnout.toml")
