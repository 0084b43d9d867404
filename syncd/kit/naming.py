"""What an account's own fields must do, where the account tells of them: go by what people call them, or be refused."""

from __future__ import annotations

from syncd.connector import Discovers
from syncd.errors import ConfigError
from syncd.kit.suite import check, known, one
from syncd.kit.worlds import AppWorld
from syncd.model import Applied, FieldMap, Write


@check(lambda spec: spec.discovers, needs=("labels",))
def a_field_of_the_accounts_own_goes_by_what_people_call_it(world: AppWorld) -> None:
    name, label = next(iter(world.labels.items()))
    world.mapped = {**world.mapped, name: FieldMap(path="", label=label)}
    app = world.open()
    assert isinstance(app, Discovers)
    assert app.fields[name].path in {each.path for each in app.offered() if each.label == label}
    id_ = world.add(**{"email": "ada@example.org", name: "Gold"})
    assert known(app, id_).fields[name] == "Gold"
    if app.spec.update:
        assert isinstance(one(app, Write(kind="update", id=id_, fields={name: "Silver"})), Applied)
        assert known(world.open(), id_).fields[name] == "Silver"


@check(lambda spec: spec.discovers, needs=("labels",))
def a_field_that_the_account_does_not_have_is_refused_by_name(world: AppWorld) -> None:
    name, label = next(iter(world.labels.items()))
    mapped = dict(world.mapped)
    world.mapped = {**mapped, name: FieldMap(path="", label=label)}
    path = world.open().fields[name].path
    for wrong in (FieldMap(path="", label=f"{label}x"), FieldMap(path=f"{path}x")):
        world.mapped = {**mapped, name: wrong}
        try:
            world.open()
        except ConfigError as error:
            said = str(error)
        else:
            raise AssertionError("a field that is not there was opened")
        assert name in said, "the message names the field"
        assert (label if wrong.label else path) in said, "the message suggests what is there"
