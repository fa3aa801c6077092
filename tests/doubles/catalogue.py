"""A small catalogue of node types, so that tests of flow files depend on no node."""

from collections.abc import Mapping, Sequence

from atomiton_runtime.flow.catalogue import BodyKind, Complaint, ParameterInfo
from atomiton_runtime.flow.problems import Problem


class TypeDouble:
    """A node type whose `check` refuses the number 13."""

    def __init__(
        self,
        name: str,
        parameters: Sequence[ParameterInfo],
        ports: tuple[str, ...],
        *,
        has_body: bool = False,
        may_write: bool = False,
    ) -> None:
        self.name = name
        self.parameters: Mapping[str, ParameterInfo] = {each.name: each for each in parameters}
        self.ports = ports
        self.may_write = may_write
        self.uses = frozenset[str]()
        self.body: BodyKind | None = "repeated" if has_body else None

    def check(self, parameters: Mapping[str, object]) -> Sequence[Complaint]:
        """Complain about every parameter, and every entry of a table, that is 13; and about 13 alone."""
        alone = [Complaint(code="PARAM-003", message="13 stands alone")] if len(parameters) == 1 else []
        odd = [
            Complaint(code="PARAM-003", message=f"`{path[-1]}` must not be 13", path=path, hint="take 12")
            for path, value in _flat(parameters)
            if value == 13
        ]
        return [*odd, *alone] if odd else []


def _flat(parameters: Mapping[str, object]) -> list[tuple[tuple[str | int, ...], object]]:
    found: list[tuple[tuple[str | int, ...], object]] = []
    for name, value in parameters.items():
        found.append(((name,), value))
        if isinstance(value, dict):
            found.extend(((name, key), entry) for key, entry in value.items())
    return found


class CatalogueDouble:
    """The node types `make`, `change`, `sort`, `store` and `each` (with a body)."""

    def __init__(self) -> None:
        types = (
            TypeDouble(
                "make",
                [ParameterInfo(name="values"), ParameterInfo(name="count")],
                ("result", "count"),
            ),
            TypeDouble(
                "change",
                [
                    ParameterInfo(name="expression", kind="expression", required=True),
                    ParameterInfo(name="data"),
                ],
                ("result",),
            ),
            TypeDouble("sort", [ParameterInfo(name="key", kind="key")], ("result",)),
            TypeDouble(
                "store", [ParameterInfo(name="path", required=True)], ("path", "size_bytes"), may_write=True
            ),
            TypeDouble(
                "each",
                [ParameterInfo(name="items"), ParameterInfo(name="condition", kind="expression")],
                ("results", "errors"),
                has_body=True,
            ),
        )
        self._all = {each.name: each for each in types}
        self._types = self._all
        self.problems: tuple[Problem, ...] = ()
        self.generation = 0
        self.fixed = frozenset[str]()

    def find(self, name: str) -> TypeDouble | None:
        """Return the node type of this name, or None."""
        return self._types.get(name)

    def names(self) -> Sequence[str]:
        """Return all names, sorted."""
        return sorted(self._types)

    def refresh(self) -> int:
        """Find no change but those that a test makes."""
        return self.generation

    def is_fixed(self, name: str) -> bool:
        """Return whether a test has said so."""
        return name in self.fixed

    def change(self, *problems: Problem, without: str = "") -> None:
        """Change the types: take one away, or bring it back, and say what is wrong."""
        self._types = {name: each for name, each in self._all.items() if name != without}
        self.problems = problems
        self.generation += 1
