"""What is likely to work before a run is paid for: a look at base and data, short trainings, and rules over both."""

from spul.advice.facts import Facts, ProbeResult
from spul.advice.probe import look
from spul.advice.rules import Advice, Form, weigh

__all__ = ["Advice", "Facts", "Form", "ProbeResult", "look", "weigh"]
