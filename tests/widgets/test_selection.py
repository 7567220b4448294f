from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crm_tui.widgets.selection import Selection

ORDER = array("q", [-3, 0, 1, 2, 5, 70_000, 4_000_000, 2**62])
one_id = st.sampled_from(list(ORDER))


class SelectionAgreesWithASet(RuleBasedStateMachine):
    """A selection over a list behaves as the plain set of its selected ids."""

    def __init__(self) -> None:
        super().__init__()
        self.selection = Selection()
        self.model: set[int] = set()

    @rule(row_id=one_id)
    def toggle(self, row_id: int) -> None:
        self.selection.toggle(row_id)
        self.model ^= {row_id}

    @rule(row_ids=st.lists(one_id))
    def add(self, row_ids: list[int]) -> None:
        self.selection.add(row_ids)
        self.model.update(row_ids)

    @rule()
    def invert(self) -> None:
        self.selection.invert()
        self.model = set(ORDER) - self.model

    @rule()
    def everything(self) -> None:
        self.selection.everything()
        self.model = set(ORDER)

    @rule()
    def clear(self) -> None:
        self.selection.clear()
        self.model = set()

    @invariant()
    def same(self) -> None:
        assert set(self.selection.of(ORDER)) == self.model
        assert self.selection.count(len(ORDER)) == len(self.model)
        assert self.selection.missing_from(ORDER) == 0
        assert {row_id for row_id in ORDER if row_id in self.selection} == self.model


TestSelection = SelectionAgreesWithASet.TestCase


@given(st.permutations(list(ORDER)))
def test_all_but_some_comes_in_the_order_of_the_list(ids: list[int]) -> None:
    selection = Selection()
    selection.everything()
    order = array("q", ids)
    assert selection.of(order) == order
    selection.toggle(5)
    assert list(selection.of(order)) == [row_id for row_id in order if row_id != 5]
    assert selection.open_ended


def test_what_was_picked_stays_while_the_list_shows_something_else() -> None:
    selection = Selection()
    selection.add([7, 2])
    assert list(selection.of(array("q", [2, 5]))) == [2, 7]
    assert selection.count(2) == 2
    assert selection.missing_from(array("q", [2, 5])) == 1


def test_a_long_list_is_counted_and_picked_from_as_a_short_one() -> None:
    order = array("q", range(30_000, 0, -1))
    selection = Selection()
    selection.add([7, 2, 40_000, -1])
    for others in ([-1], []):
        missing = selection.missing_from(order)
        assert missing == 1 + len(others)
        assert selection.count(30_000, missing) == 3 + len(others)
        assert list(selection.of(order)) == [*others, 2, 7, 40_000]
        selection.invert()
        assert selection.missing_from(order) == missing
        assert selection.count(30_000, missing) == 29_998
        assert selection.of(order) == array("q", (each for each in order if each not in {2, 7}))
        selection.invert()
        if others:
            selection.toggle(-1)
