from examples.customer_support.demo.queries import held_out, real_sample, test_prompts

prompts = test_prompts
del test_prompts  # pytest would collect it


def test_the_sets_are_what_they_say() -> None:
    assert [query.label for query in prompts()] == ["simple", "simple", "complex", "complex", "simple"]
    assert len(held_out()) == 98
    assert {query.label for query in held_out()} == {"simple", "complex"}
    assert len(real_sample()) == 60
    assert {query.label for query in real_sample()} == {None}


def test_no_test_prompt_is_in_the_query_set() -> None:
    texts = {query.text.casefold() for query in held_out()}
    assert not texts & {query.text.casefold() for query in prompts()}


def test_titles_tell_queries_apart() -> None:
    for queries in (prompts(), held_out(), real_sample()):
        assert len({query.title for query in queries}) == len(queries)
