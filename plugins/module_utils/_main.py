# Copyright (c) 2026 The pgfleet.cluster developers
# MIT License (see LICENSE or https://opensource.org/license/mit)
"""How every module ends: with its result, or once with its own error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from ._errors import PgFleetError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def conclude(module: AnsibleModule, run: Callable[[AnsibleModule], dict[str, Any]]) -> NoReturn:
    """Exit with what ``run`` returns, as a failure if it says ``failed``; fail with what, where, and the remedy when it raises."""
    try:
        result = run(module)
    except PgFleetError as error:
        module.fail_json(**error.as_result())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        module.fail_json(msg=f"{where}{error.strerror or error}.", code="os_error")
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
