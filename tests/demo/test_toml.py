"""What is written is what `tomllib` reads."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.demo.toml import write_toml

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
SCALAR = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), TEXT)
VALUE = st.one_of(SCALAR, st.lists(SCALAR, max_size=3))
TABLE = st.dictionaries(TEXT, st.one_of(VALUE, st.dictionaries(TEXT, VALUE, max_size=2)), max_size=4)


@settings(max_examples=150)
@given(st.dictionaries(TEXT, st.one_of(VALUE, TABLE, st.lists(TABLE, min_size=1, max_size=3)), max_size=5))
def test_whatever_is_written_reads_back_the_same(document) -> None:
    assert tomllib.loads(write_toml(document)) == document
