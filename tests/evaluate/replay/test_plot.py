from pathlib import Path

from tests.evaluate.replay.test_comparison import compared
from turnout.evaluate.replay.plot import draw


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "costs.png"
    draw([compared(0.5, "capable", "manage", "foresight"), compared(0.9, "capable")], path)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 10_000
