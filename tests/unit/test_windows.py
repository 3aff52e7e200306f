"""Windows: anchored to absolute numbers, the same in every chunk, never across a cut."""

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from filmrestore.nodes.windows import Unit, plan_units, without


def units(wanted: range | list[int], readable: range, cuts: tuple[int, ...] = (), moves: int = 0) -> list[Unit]:
    return plan_units(list(wanted), readable, cuts, window=5, keep=3, moves=moves)


def test_a_window_shows_one_frame_more_on_each_side_than_it_keeps() -> None:
    [unit] = units(range(6, 9), range(100))
    assert unit.numbers == (5, 6, 7, 8, 9) == unit.sources
    assert unit.kept == (6, 7, 8) and unit.slots == (0, 1, 2)
    assert all(unit.present)


def test_at_the_ends_of_a_reel_the_nearest_frame_stands_in() -> None:
    first = units(range(0, 3), range(10))[0]
    assert first.sources == (0, 0, 1, 2, 3) and first.present == (False, True, True, True, True)
    last = units(range(9, 10), range(10))[0]
    assert last.sources == (8, 9, 9, 9, 9) and last.present == (True, True, False, False, False)


def test_a_cut_inside_a_window_makes_two_units_that_see_one_side_each() -> None:
    before, after = units(range(6, 9), range(100), cuts=(7,))
    assert before.kept == (6,) and before.sources == (5, 6, 6, 6, 6)
    assert after.kept == (7, 8) and after.sources == (7, 7, 7, 8, 9)
    assert before.name != after.name


def test_a_window_that_may_move_is_moved_into_the_shot() -> None:
    before, after = units(range(6, 9), range(100), cuts=(7,), moves=1)
    assert before.kept == (6,) and before.sources == (4, 5, 6, 6, 6) and before.slots == (1,)
    assert after.kept == (7, 8) and after.sources == (7, 7, 8, 9, 10) and after.slots == (0, 1)
    first, *_, last = units(range(11), range(11), moves=1)
    assert first.numbers == (-1, 0, 1, 2, 3) and last.numbers == (7, 8, 9, 10, 11) and last.slots == (1, 2)
    assert last.name == "+0000009.0"


def test_where_a_window_would_show_no_more_of_the_shot_it_stays() -> None:
    for number, slot in ((6, 0), (7, 1), (8, 2)):
        [unit] = units([number], range(100), cuts=(number, number + 1), moves=1)
        assert unit.sources == (number,) * 5 and unit.slots == (slot,) and unit.numbers == (5, 6, 7, 8, 9)
    [unit] = units([7, 8], range(100), cuts=(7, 9), moves=1)
    assert unit.sources == (7, 7, 7, 8, 8) and unit.slots == (1, 2)


def test_a_window_that_keeps_all_that_it_shows_may_not_move() -> None:
    *_, last = plan_units(list(range(13)), range(13), (), window=9, keep=9)
    assert last.kept == (9, 10, 11, 12) and last.numbers == tuple(range(9, 18)) and last.slots == (0, 1, 2, 3)


@given(st.integers(-20, 20), st.integers(5, 40), st.sets(st.integers(-20, 60), max_size=3))
def test_with_moves_every_frame_of_a_shot_has_two_others_beside_it(first: int, count: int, cuts: set[int]) -> None:
    reel, marks = range(first, first + count), tuple(sorted(cuts))
    for unit in units(reel, reel, marks, moves=1):
        offered = range(min(unit.kept) // 3 * 3 - 2, min(unit.kept) // 3 * 3 + 5)
        assert set(unit.sources) <= set(offered)
        for n, slot in zip(unit.kept, unit.slots, strict=True):
            shot = [m for m in reel if bisect_right(marks, m) == bisect_right(marks, n)]
            shown = {m for m, there in zip(unit.sources, unit.present, strict=True) if there}
            assert unit.numbers[slot + 1] == n and n in shown
            assert len(shown & {n - 2, n - 1, n + 1, n + 2}) >= min(2, len(shot) - 1)


def test_negative_frame_numbers_are_frames_like_others() -> None:
    assert [unit.kept for unit in units(range(-4, 3), range(-10, 10))] == [(-4,), (-3, -2, -1), (0, 1, 2)]


@given(
    st.integers(-20, 20),
    st.integers(1, 40),
    st.sets(st.integers(-20, 60), max_size=4),
    st.integers(-20, 60),
    st.integers(0, 1),
)
def test_any_chunk_has_the_windows_of_the_whole(first: int, count: int, cuts: set[int], chop: int, moves: int) -> None:
    reel = range(first, first + count)
    marks = tuple(sorted(cuts))
    whole = {n: unit for unit in units(reel, reel, marks, moves) for n in unit.kept}
    for part in ([n for n in reel if n < chop], [n for n in reel if n >= chop]):
        if not part:
            continue
        handles = [n for n in reel if min(part) - 3 <= n <= max(part) + 3]
        for unit in plan_units(part, handles, marks, window=5, keep=3, moves=moves):
            for n in unit.kept:
                assert unit.sources == whole[n].sources and unit.present == whole[n].present
                assert unit.name == whole[n].name
    assert set(whole) == set(reel)


def test_a_frame_that_cannot_be_read_is_stood_in_for() -> None:
    [unit] = units(range(6, 9), range(100))
    rest = without(unit, {7})
    assert rest.kept == (6, 8) and rest.slots == (0, 2)
    assert rest.sources == (5, 6, 6, 8, 9) and rest.present == (True, True, False, True, True)
    assert without(unit, {5, 6, 7, 8, 9}).kept == ()
