"""Reads the parameters of nodes; what they were read as before, in an earlier version of the file, is taken over."""

from collections.abc import Mapping

from atomiton_runtime.flow.definition import Definitions, names_used
from atomiton_runtime.flow.findings import Findings, KeyPath
from atomiton_runtime.flow.model import Reading
from atomiton_runtime.flow.parameters import KnownType, Surroundings, read_parameters


class Readings:
    """What the parameters in one version of a file are read as."""

    def __init__(
        self, before: Mapping[object, Reading], definitions: Definitions, findings: Findings
    ) -> None:
        self._before = before
        self._definitions = definitions
        self._findings = findings
        self.kept: dict[object, Reading] = {}
        """Those in which nothing is wrong, by all that they depend on."""

    def read(
        self, written: Mapping[str, object], known_type: KnownType, surroundings: Surroundings, path: KeyPath
    ) -> Reading:
        """Return what the parameters of a node are; what is wrong is reported.

        Args:
            written: the node's table, without the common keys.
            known_type: what they must fit.
            surroundings: what expressions may use.
            path: of the node's table.
        """
        form = self._definitions.form(written)
        # The type itself, not its name: a type beside the flows is another one when its file has changed.
        key = known_type.info, surroundings, form
        reading = self._before.get(key) or self.kept.get(key)
        if reading is None:
            wrong = len(self._findings.found)
            parameters = read_parameters(written, known_type, surroundings, path, self._findings)
            reading = Reading(parameters, names_used(parameters.values()))
            if form is None or len(self._findings.found) > wrong:
                return reading
        self.kept[key] = reading
        return reading
