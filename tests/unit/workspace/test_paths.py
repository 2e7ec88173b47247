"""R22: paths stay inside the workspace, and only ordinary files are read."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from chainloop_ci.errors import FileUnreadableError, PathRefusedError
from chainloop_ci.workspace import paths
from chainloop_ci.workspace.paths import open_material, resolve_inside

posix = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links, pipes and devices as POSIX has them")


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "sbom.json").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    return folder


def test_a_path_inside_is_resolved(workspace):
    (workspace / "out").mkdir()

    assert resolve_inside(workspace, "out/../sbom.json") == (workspace / "sbom.json").resolve()


def test_an_absolute_path_inside_is_accepted(workspace):
    assert resolve_inside(workspace, workspace / "sbom.json") == (workspace / "sbom.json").resolve()


def test_a_path_that_does_not_exist_yet_is_resolved(workspace):
    assert resolve_inside(workspace, "new.json") == (workspace / "new.json").resolve()


@pytest.mark.parametrize("path", ["../secret", "out/../../secret", "/etc/passwd", "a\0b"])
def test_r22_a_path_that_leads_out_is_refused(workspace, path):
    with pytest.raises(PathRefusedError):
        resolve_inside(workspace, path)


def test_r22_a_neighbour_whose_name_begins_alike_is_outside(workspace):
    (workspace.parent / "workspace-2").mkdir()

    with pytest.raises(PathRefusedError):
        resolve_inside(workspace, "../workspace-2/x")


@posix
def test_r22_a_link_out_of_the_workspace_is_refused(workspace):
    (workspace / "link").symlink_to(workspace.parent / "secret")

    with pytest.raises(PathRefusedError, match="leads out of the workspace"):
        open_material("link", root=workspace)


@posix
def test_r22_a_folder_that_is_a_link_out_of_the_workspace_is_refused(workspace):
    (workspace / "folder").symlink_to(workspace.parent)

    with pytest.raises(PathRefusedError):
        open_material("folder/secret", root=workspace)


@posix
def test_a_link_inside_the_workspace_is_followed(workspace):
    (workspace / "link").symlink_to("sbom.json")

    with open_material("link", root=workspace) as file:
        assert file.read() == b"inside"


def test_a_workspace_that_is_reached_by_a_link_is_the_same_workspace(workspace):
    (workspace.parent / "alias").symlink_to(workspace)

    with open_material("sbom.json", root=workspace.parent / "alias") as file:
        assert file.read() == b"inside"


def test_a_typed_path_may_lie_elsewhere(workspace):
    with open_material(workspace.parent / "secret") as file:
        assert file.read() == b"outside"


@posix
@pytest.mark.parametrize("path", ["/proc/self/environ", "/dev/null", "/dev/stdin", "/sys/kernel/uevent_seqnum", "/dev"])
def test_r22_system_folders_are_refused_everywhere(workspace, path):
    with pytest.raises(PathRefusedError, match="system folder"):
        open_material(path)


@posix
def test_r22_a_link_into_a_system_folder_is_refused_even_when_typed(workspace):
    (workspace / "environ").symlink_to("/proc/self/environ")

    with pytest.raises(PathRefusedError, match="system folder"):
        open_material(workspace / "environ")


@posix
def test_r22_a_named_pipe_is_refused_and_does_not_wait_for_a_writer(workspace):
    os.mkfifo(workspace / "pipe")

    with pytest.raises(PathRefusedError, match="a pipe"):
        open_material(workspace / "pipe")


@posix
def test_r22_a_socket_is_no_ordinary_file(workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")  # relative: a socket's path is short

        with pytest.raises((PathRefusedError, FileUnreadableError)):
            open_material("socket")


@posix
def test_r22_a_link_that_appears_after_the_check_is_not_followed(workspace):
    inner = workspace / "folder"
    inner.mkdir()
    (inner / "secret").write_text("inside")
    checked = resolve_inside(workspace, "folder/secret")
    inner.rename(workspace / "moved")
    inner.symlink_to(workspace.parent)

    with pytest.raises(OSError, match=r"symbolic|Not a directory"):
        os.close(paths._open_real(checked))


def test_what_was_opened_is_read_even_when_the_path_changes(workspace):
    with open_material("sbom.json", root=workspace) as file:
        (workspace / "sbom.json").unlink()
        (workspace / "sbom.json").write_text("other")

        assert file.read() == b"inside"


def test_without_folder_descriptors_the_opened_file_is_compared_with_the_checked_one(workspace):
    descriptor = paths._open_and_compare((workspace / "sbom.json").resolve())

    assert os.read(descriptor, 10) == b"inside"
    os.close(descriptor)


@posix
def test_without_folder_descriptors_a_link_at_the_end_is_refused(workspace):
    (workspace / "link").symlink_to("sbom.json")

    with pytest.raises(OSError, match="changed"):
        paths._open_and_compare(workspace / "link")


def test_a_missing_file_is_named(workspace):
    with pytest.raises(FileUnreadableError, match=r"no file .*absent\.json"):
        open_material(workspace / "absent.json")


def test_a_folder_is_no_material(workspace):
    with pytest.raises(FileUnreadableError, match="found a folder"):
        open_material(".", root=workspace)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(workspace):
    (workspace / "sbom.json").chmod(0)

    with pytest.raises(FileUnreadableError, match="may not be read"):
        open_material("sbom.json", root=workspace)


@posix
def test_r22_system_folders_are_refused_even_inside_the_widest_workspace():
    with pytest.raises(PathRefusedError, match="system folder"):
        open_material("proc/self/environ", root=Path("/"))


@posix
@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a writable /dev/shm")
def test_r22_a_link_in_a_system_folder_is_refused_though_it_leads_to_an_ordinary_file(workspace):
    link = Path("/dev/shm") / f"chainloop-test-{os.getpid()}"
    link.symlink_to(workspace / "sbom.json")

    try:
        with pytest.raises(PathRefusedError, match="system folder"):
            open_material(link)
    finally:
        link.unlink()


@posix
def test_r22_a_file_that_a_link_replaces_after_the_check_is_not_read(workspace):
    checked = resolve_inside(workspace, "sbom.json")
    checked.unlink()
    checked.symlink_to(workspace.parent / "secret")

    with pytest.raises(OSError, match="symbolic"):
        os.close(paths._open_real(checked))
