from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.customer_support.tools import shop


def test_every_category_has_several_products_and_a_policy() -> None:
    for category_id, name in shop.categories().items():
        assert shop.product_info(name).count("\n- ") >= 3
        assert shop.return_policy(category_id).startswith(f"Return policy for {name.lower()}")


@pytest.mark.parametrize(
    ("text", "category_id"),
    [
        ("laptops", "laptops"),
        ("Laptop", "laptops"),
        ("smart_home", "smart_home"),
        ("Smart  Home", "smart_home"),
        ("cell phones, please", "smartphones"),
        ("a memory card for my camera", "accessories"),
        ("Headphones and earbuds", "headphones"),
    ],
)
def test_a_category_is_found_by_any_of_its_names(text: str, category_id: str) -> None:
    assert shop.find_category(text) == category_id


def test_a_name_inside_another_word_names_nothing() -> None:
    assert shop.find_category("laptopia") is None
    assert shop.find_category("") is None


def test_category_names_of_an_unknown_category_is_an_error() -> None:
    with pytest.raises(KeyError, match="boats"):
        shop.category_names("boats")


def test_a_product_is_found_by_its_name_or_number() -> None:
    by_name, by_number = shop.product_info("the kestrel 14, please"), shop.product_info("bw-lt-1402")
    assert by_name == by_number
    assert by_name.startswith("- Kestrel 14 (BW-LT-1402): $1149.00, 27 in stock; best for")
    assert "\n" not in by_name


def test_a_longer_name_is_not_the_shorter_one_in_it() -> None:
    assert "Halden X2 Mini" in shop.product_info("Halden X2 Mini")
    assert "(BW-SP-0201)" not in shop.product_info("Halden X2 Mini")
    assert "(BW-SP-0202)" not in shop.product_info("Halden X2")


def test_two_named_products_are_both_described() -> None:
    assert shop.product_info("Lumo 10 or Lumo 12?").count("BW-TB-") == 2


def test_a_family_is_all_of_its_products() -> None:
    assert shop.product_info("which Lumo is best").count("BW-TB-") == 3
    assert "lumo" in shop.families()


def test_a_product_is_led_by_its_category() -> None:
    assert shop.with_category("The Vantor 27 stays black") == "Monitors: The Vantor 27 stays black"
    assert shop.with_category("an Orrin fogs") == "Cameras: an Orrin fogs"
    assert shop.with_category("my phone is hot") == "my phone is hot"


def test_what_is_sold_out_is_said_to_be() -> None:
    assert "out of stock" in shop.product_info("Tamlin Simple 1")


def test_a_policy_tells_all_that_the_tool_promises() -> None:
    policy = shop.return_policy("cameras")
    for part in ("Window: 14 days", "Condition", "12 %", "Refund", "Exceptions", "Warranty", "How to start"):
        assert part in policy


def test_an_unknown_category_gets_the_known_ones() -> None:
    policy, products = shop.return_policy("bananas"), shop.product_info("bananas")
    for name in shop.categories().values():
        assert name in policy
        assert name in products
    assert "'bananas'" in policy
    assert "Smartphones 14 days" in policy


@given(st.text(max_size=200))
def test_no_text_makes_a_look_up_fail(text: str) -> None:
    assert shop.product_info(text)
    assert shop.return_policy(text)
