"""One scoreboard for routers: published metrics with intervals, beside baselines and what nobody can beat."""
