"""Which tools the simulated models call, by rules on the words of a query.

The rules stand in for what a real model does with the tools' descriptions. They look at topics only: a category that is
named, words of returning, of buying, of trouble. How hard a query is makes no difference to them, and the cheap and the
capable model follow the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from examples.customer_support.tools import shop
from turnout.testing.bedrock import Rule, RuleResponder

RETURNS = (
    r"\b(return(s|ed|ing|able)?|refund\w*|exchange[sd]?|money back|send (it|this|them|these) back|"
    r"warrant\w+|restocking|changed my mind)\b"
)
PRODUCTS = (
    r"\b(buy|buying|purchase|order one|price[sd]?|cost|how much|cheap\w*|spec(s|ification\w*)?|options|"
    r"recommend\w*|suggest\w*|compar\w+|difference|versus|vs|best|sell|carry|in stock|available|availability|"
    r"budget|looking for|tell me about|features?|under \$?\d+)\b"
)
TROUBLE = (
    r"(\b(troubleshoot\w*|broken?|fix|repair(ed|s)?|problems?|issues?|errors?|fail(s|ed|ing)?|crash\w*|freez\w+|frozen|"
    r"stuck|slow\w*|drain\w*|overheat\w*|hot|flicker\w*|dead|no (sound|signal|picture|internet|power)|crack\w*|"
    r"spill\w*|wet|water damage|stops|stopped|stays? (black|dark)|disconnect\w*|unresponsive|locked|hacked|"
    r"password|log ?in|sign in|pop-?ups?|virus|malware|pair|pairing|sync|transfer|set ?up|install|update[sd]?|reset|"
    r"(cuts?|drops?) (out|video|calls)|clicks|lags?|jams?|skips?|blurred|fogs|upside down|hum(s|med)?|reconnect\w*|"
    r"loses|striped|crackl\w+|blank|warm|how come|to blame)\b|"
    r"\b(won|doesn|don|can|isn|didn|couldn)['’]?t (turn|start|boot|power|work|connect|charge|open|load|print|play|pair|"
    r"detect|recogni[sz]e|see|hear|find|show|log|focus|update|respond|hold)\b|"
    r"\b(not|cannot|never) (turn\w*|start\w*|work\w*|connect\w*|charg\w*|print\w*|show\w*|recogni[sz]\w*|respond\w*)\b)"
)
ORDERS = (
    r"\b(order(s|ed)?|parcels?|deliver\w*|shipp\w+|tracking|courier|invoices?|coupons?|newsletter|voucher\w*|"
    r"gift cards?)\b"
)
"""Matters of orders and accounts, for which the agent has no tool."""
WEB = r"\b(compatib\w*|reviews?|latest news|news about|search the (web|internet)|look (it )?up online)\b"

PARTS = frozenset(
    {"display", "displays", "screen", "screens", "cable", "cables", "case", "cases", "audio", "photo", "pc", "lens"}
)
"""Names of categories that more often mean a part of another device, or what is done with it."""


def rules() -> tuple[Rule, ...]:
    """All rules, in the order in which they are tried."""
    found: list[Rule] = []
    families = rf"\b({'|'.join(map(re.escape, shop.families()))})\b"
    for category_id, name in shop.categories().items():
        named = _names(category_id)
        product = {"product_type": name.lower()}
        found.append(Rule(_where(named, PRODUCTS), "get_product_info", product))
        found.append(Rule(_where(named, but_not=(RETURNS, TROUBLE, ORDERS, families)), "get_product_info", product))
        found.append(Rule(_where(named, RETURNS), "get_return_policy", {"product_category": name.lower()}))
    any_name = "|".join(map(_names, shop.categories()))
    found.append(Rule(_where(families, but_not=(TROUBLE,)), "get_product_info", {"product_type": "{query}"}))
    found.append(Rule(_where(RETURNS, but_not=(any_name,)), "get_return_policy", {"product_category": "{query}"}))
    found.append(Rule(_where(TROUBLE, but_not=(ORDERS,)), "get_technical_support", _issue))
    found.append(Rule(_where(WEB), "web_search", _keywords))
    return tuple(found)


def support_responder() -> RuleResponder:
    """The simulated answering model of the demonstration."""
    return RuleResponder(rules=rules(), sentences=8, characters=1500)


def _where(*patterns: str, but_not: tuple[str, ...] = ()) -> str:
    """A pattern for queries in which all of these are found, anywhere, and none of those."""
    found = "".join(rf"(?=.*?({pattern}))" for pattern in patterns)
    return r"(?s)\A" + "".join(rf"(?!.*?({pattern}))" for pattern in but_not) + found


def _names(category_id: str) -> str:
    """The category, or what it is also called; blanks may be left out."""
    names = sorted(set(shop.category_names(category_id)) - PARTS, key=lambda name: (-len(name), name))
    return r"\b(" + "|".join(re.escape(name).replace(r"\ ", r"[\s-]*") for name in names) + r")\b"


def _issue(match: re.Match[str]) -> Mapping[str, Any]:
    return {"issue_description": " ".join(match.string.split())}


def _keywords(match: re.Match[str]) -> Mapping[str, Any]:
    return {"keywords": " ".join(match.string.split())[:120], "max_results": 3}
