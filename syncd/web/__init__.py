"""The web room: webhooks in. The one place that is asynchronous; everything behind it is not.

Must not know what a pass does: it leaves hints in the store and wakes the daemon. Hard rule: whatever comes in from outside,
the daemon goes on, and no part of a body is in any log or answer.
"""
