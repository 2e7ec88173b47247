import socket

import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.admin.listener import listen
from server.config import ServerConfig


def test_a_free_port_is_listened_on(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with listen(ServerConfig(data=tmp_path, port=port)) as listener:
        assert listener.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_in_use_is_named_with_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigInvalidError) as refusal:
            listen(ServerConfig(data=tmp_path, port=port))

    assert refusal.value.message == f"port {port} of 127.0.0.1 is in use"
    assert refusal.value.hint == "choose another with PORT="


def test_an_address_of_another_machine_is_named_with_what_to_do(tmp_path):
    with pytest.raises(ConfigInvalidError) as refusal:
        listen(ServerConfig(data=tmp_path, bind="192.0.2.1"))

    assert "192.0.2.1 lies on an address that this machine does not have" in refusal.value.message
    assert refusal.value.hint == "correct CHAINLOOP_BIND"
