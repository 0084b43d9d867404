"""The kit: one suite for connectors of every kind, run on a stand-in for their app; what comes of it is green, and a card.

Knows the contract, and what `connectors/<name>/world.py` says of people. Must not know any app. Hard rule: what is claimed is
proven to work, what is not claimed is proven to be refused; a check that cannot fail is none.
"""
