"""What became of an execution of a body, as it is kept until its node ends."""

import msgspec
import pytest

from atomiton_runtime.errors import ErrorInfo
from atomiton_runtime.ids import NodeId
from atomiton_runtime.run.scope import Ended, packed, unpacked

ERROR = ErrorInfo("NODE-002", "it broke")
OUTPUTS = {NodeId("a"): {"result": msgspec.Raw(b'{"n":1}'), "count": msgspec.Raw(b"1")}, NodeId("b"): {}}


@pytest.mark.parametrize(
    "ended",
    [
        Ended(index=3, outputs=OUTPUTS),
        Ended(index=0),
        Ended(index=3, outputs=OUTPUTS, errors={NodeId("a"): ERROR}),
        Ended(index=3, outputs=OUTPUTS, error=ERROR),
    ],
)
def test_what_is_kept_is_what_it_was(ended: Ended) -> None:
    """Whether or not something failed."""
    again = unpacked(ended.index, packed(ended))

    assert msgspec.json.encode(again) == msgspec.json.encode(ended)
