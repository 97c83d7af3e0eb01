"""The agencies' side: foreign formats at the edge, the gateway's HTTP API on the other side.

A parser of hostile input never lives in the process that holds keys: every adapter is a process of its own
and knows the gateway only through :mod:`adapters.client`.
"""
