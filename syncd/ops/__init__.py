"""Reports: what the hub knows, read page by page and told as documents. Changes nothing.

    find      KEY -> contact
    status    per app: how many are linked, in sync, pending, parked ...
    explain   one contact in every app, and why
    history   runs and the journal
    inbox     what waits for a person
    check     do the apps answer, and can they hold what they are meant to hold?
    offered   what fields an account has

Must not know the engine or terminals. Hard rule: no report loads all contacts at once.
"""
