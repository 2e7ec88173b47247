import pytest

from chainloop_ci.errors import RequestInvalidError
from server.model.names import require_name


@pytest.mark.parametrize("name", ["a", "app", "a-1", "0a", "a" * 63])
def test_labels_are_names(name):
    require_name("contract", name)


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a.b", "a\n", "é", "a" * 64, "a/b"])
def test_other_texts_are_refused_with_the_limit(name):
    with pytest.raises(RequestInvalidError, match="at most 63 characters"):
        require_name("contract", name)
