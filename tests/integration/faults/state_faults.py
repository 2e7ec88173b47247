"""Every call by which the command line saves its state, failing in turn. Run by `test_store_faults`."""

import errno
import itertools
from dataclasses import replace

import pytest

from chainloop_ci.errors import StateForeignError, StateUnwritableError
from chainloop_ci.state import LocalState
from tests.integration.faults.injection import Fault
from tests.unit.attestation.states import full_state

POINTS = ("posix/io/rw/write", "posix/io/sync/fsync", "posix/io/dir/rename", "posix/io/oc/open")
MAX_CALLS = 50


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("point", POINTS)
def test_a_state_that_cannot_be_saved_is_the_old_one_and_saving_again_works(tmp_path, point, code):
    met = 0

    for number in itertools.count(1):
        assert number < MAX_CALLS
        local = LocalState(tmp_path / str(number) / "state.json")
        before = full_state()
        local.create(before)
        with Fault(point, number, code) as fault:
            try:
                local.update(lambda state: replace(state, env={"CHANGED": "1"}))
            except (StateUnwritableError, StateForeignError) as error:
                met += 1
                # The name may be given already when the folder cannot be brought to the disk.
                assert local.load().env in (before.env, {"CHANGED": "1"})
                assert error.hint
        if not fault.was_met:
            break
        assert local.update(lambda state: replace(state, env={"CHANGED": "2"})).env == {"CHANGED": "2"}
        assert local.load().env == {"CHANGED": "2"}
    assert met
