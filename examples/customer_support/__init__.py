"""The reference agent: customer support for an invented shop, version by version.

`v1_baseline`, `v2_quick_wins`, `v3_prompt_caching` and `v4_routing` show only what each adds; `build` puts any of them
together with one call; `tools`, `prompts` and `data` are the same for all.
"""
