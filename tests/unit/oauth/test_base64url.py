import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.base64url import decode, encode


@given(st.binary(max_size=100))
def test_bytes_survive_the_round_trip(data: bytes) -> None:
    text = encode(data)
    assert "=" not in text
    assert decode(text) == data


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AA==", "AA=", "A+", "A/", "AA\n", " AA", "A A", "é", "AB", "AAB", "A.A"]
)
def test_any_second_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        decode(text)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=12))
def test_what_decodes_has_one_spelling(text: str) -> None:
    try:
        data = decode(text)
    except ValueError:
        return
    assert encode(data) == text
