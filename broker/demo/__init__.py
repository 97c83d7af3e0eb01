"""The demo: an exchange of thirteen agencies on one machine, a scenario, and a verdict that believes no script.

`ground` prepares a run folder, `scenario` plays, `collect` reads every agency's inbox and outbox through the API, and
`verdict` compares what was read with `expected.toml`. The scenario never tells the verdict what it did.
"""
