"""The lab's certificates and kubeconfigs: one CA, everything signed by it.

They live as long as a lab does; nothing here is meant to be rotated.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = dt.timedelta(days=365)
_CLOCK_SLACK = dt.timedelta(hours=1)

_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Signs certificates into one folder; ``ca.crt`` and ``ca.key`` are its own."""

    folder: Path

    @property
    def certificate_path(self) -> Path:
        """What everybody trusts."""
        return self.folder / "ca.crt"

    @property
    def service_account_key_path(self) -> Path:
        """Signs ServiceAccount tokens; its public half is ``sa.pub``."""
        return self.folder / "sa.key"

    def create(self) -> None:
        """Make the CA and the key pair for ServiceAccount tokens."""
        self.folder.mkdir(parents=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kilonova-lab")])
        certificate = (
            _begin(name, key.public_key())
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        self._write("ca", key, certificate)
        accounts = ec.generate_private_key(ec.SECP256R1())
        _write_key(self.service_account_key_path, accounts)
        (self.folder / "sa.pub").write_bytes(
            accounts.public_key().public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
        )

    def sign_client(self, file: str, user: str, *, groups: Sequence[str] = ()) -> None:
        """Write ``file.crt`` and ``file.key``, which the API server knows as user."""
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in groups]
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        self._sign(file, x509.Name(attributes), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def sign_server(self, file: str, names: Sequence[str]) -> None:
        """Write ``file.crt`` and ``file.key`` for these addresses and host names."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        self._sign(
            file,
            subject,
            ExtendedKeyUsageOID.SERVER_AUTH,
            [_build_alternative_name(name) for name in names],
        )

    def write_kubeconfig(self, path: Path, server: str, client_file: str) -> None:
        """Write a self-contained kubeconfig for a client signed before."""
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "kilonova-lab",
                    "contexts": [
                        {
                            "name": "kilonova-lab",
                            "context": {"cluster": "kilonova-lab", "user": client_file},
                        }
                    ],
                    "clusters": [
                        {
                            "name": "kilonova-lab",
                            "cluster": {
                                "server": server,
                                "certificate-authority-data": self._encode("ca.crt"),
                            },
                        }
                    ],
                    "users": [
                        {
                            "name": client_file,
                            "user": {
                                "client-certificate-data": self._encode(
                                    f"{client_file}.crt"
                                ),
                                "client-key-data": self._encode(f"{client_file}.key"),
                            },
                        }
                    ],
                },
                indent=1,
            )
        )

    def _encode(self, file: str) -> str:
        return base64.b64encode((self.folder / file).read_bytes()).decode()

    def _sign(
        self,
        file: str,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        names: list[x509.GeneralName],
    ) -> None:
        ca_key = serialization.load_pem_private_key(
            (self.folder / "ca.key").read_bytes(), password=None
        )
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - we made it
        ca = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _begin(subject, key.public_key())
            .issuer_name(ca.subject)
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(names), critical=False
            )
        self._write(file, key, builder.sign(ca_key, hashes.SHA256()))

    def _write(
        self, file: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        _write_key(self.folder / f"{file}.key", key)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self.folder / f"{file}.crt").write_bytes(pem)


def _begin(
    subject: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + _LIFETIME)
    )


def _build_alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
