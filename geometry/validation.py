"""What pydantic found wrong, as one problem to report."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def first_problem(error: ValidationError) -> tuple[ErrorDetails, bool]:
    """Return the problem to report first, and whether it is an unknown key.

    A misspelt key goes before the missing one that it causes.
    """
    problems = error.errors(include_url=False, include_input=False)
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    return (unknown or problems)[0], bool(unknown)
