"""The lab's certificates, as strict clients judge them."""

import socket
import ssl
import threading
from pathlib import Path

from kilonova_lab.pki import CertificateAuthority


def test_a_strict_client_takes_the_servers_certificate(tmp_path: Path) -> None:
    # Python is strict (RFC 5280) by itself since 3.13.
    authority = CertificateAuthority(tmp_path / "pki")
    authority.create()
    authority.sign_server("apiserver", ["127.0.0.1", "kubernetes"])
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = authority.folder / "apiserver"
    accepting.load_cert_chain(f"{server}.crt", f"{server}.key")
    strict = ssl.create_default_context(cafile=str(authority.certificate_path))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, accepting.wrap_socket(theirs, server_side=True) as secured:
            secured.sendall(b"hello")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with ours, strict.wrap_socket(ours, server_hostname="127.0.0.1") as secured:
        assert secured.recv(5) == b"hello"
    thread.join(10)
