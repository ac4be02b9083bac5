import time

from turnout.trace.events import new_id


def test_ids_are_unique_and_ascend_in_time() -> None:
    first = new_id()
    time.sleep(0.002)
    ids = [first, *(new_id() for _ in range(1000))]
    assert len(set(ids)) == 1001
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)
    assert first < min(ids[1:])
