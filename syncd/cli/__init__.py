"""The commands: what people type and scripts rely on (DESIGN 5).

    app       a command line -> an exit code, whatever happens
    everyday  sync and status: what machines call every minute, without the price of Typer
    commands  all commands, read by Typer
    options   the options that commands share
    opening   configuration -> store -> session, with the lease where something is written
    writing   commands that change something: sync, plan, apply, resync, undo, approve ...
    reading   commands that only look: status, explain, history, inbox ...
    explaining  `explain` for people
    around    init, check, schema, docs, connectors, db, demo
    show      a terminal gets tables, a pipe gets plain aligned text, --json gets one document

Hard rule: everything heavy is imported by the command that needs it; start-up is felt by people and by cron.
"""
