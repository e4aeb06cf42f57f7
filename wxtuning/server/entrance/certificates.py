"""A certificate authority of the server's own, and the certificate that it gives the server. Knows no sockets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wxtuning.errors import WxTuningError
from wxtuning.folder import write_atomically

AUTHORITY_DAYS, SERVER_DAYS = 3650, 397
"""How long the two certificates are good."""

RENEWED_DAYS = 30
"""A certificate that is good for fewer days than this is replaced at the next start."""

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a server and its callers need to speak https.

    Args:
        authority: What callers trust.
        bundle: The authority and those that are trusted anyway, for callers that also ask other hosts.
        certificate, key: What the server shows, and what it proves this with.
    """

    authority: Path
    bundle: Path
    certificate: Path
    key: Path


def certificates(folder: Path, names: set[str], *, now: datetime | None = None) -> Files:
    """The certificates in the folder; made, or renewed, where they are missing, old or for other names.

    Args:
        folder: Where they lie.
        names: Host names and addresses that callers use.
        now: When this is asked; the clock's time if not given.
    """
    at = now or datetime.now(UTC)
    authority, authority_key = _authority(folder, at)
    files = Files(
        authority=folder / "ca.pem", bundle=folder / "bundle.pem", certificate=folder / "server.pem",
        key=folder / "server-key.pem",
    )  # fmt: skip
    if not _is_good(files, names, authority, at):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signed(_server(names, key, authority), authority_key, at, SERVER_DAYS)
        write_atomically(files.key, _bytes(key))
        write_atomically(files.certificate, made.public_bytes(serialization.Encoding.PEM))
    _write_bundle(files)
    return files


def _write_bundle(files: Files) -> None:
    import certifi

    bundle = Path(certifi.where()).read_bytes() + files.authority.read_bytes()
    if not files.bundle.exists() or files.bundle.read_bytes() != bundle:
        write_atomically(files.bundle, bundle)


def _authority(folder: Path, at: datetime) -> tuple[x509.Certificate, Key]:
    file, key_file = folder / "ca.pem", folder / "ca-key.pem"
    if file.exists() and key_file.exists():
        found, key = x509.load_pem_x509_certificate(file.read_bytes()), _key(key_file)
        if _is_fresh(found, at) and found.public_key() == key.public_key():
            return found, key
    key = ec.generate_private_key(ec.SECP256R1())
    made = _signed(_own(key), key, at, AUTHORITY_DAYS)
    write_atomically(key_file, _bytes(key))
    write_atomically(file, made.public_bytes(serialization.Encoding.PEM))
    return made, key


def _own(key: Key) -> x509.CertificateBuilder:
    name = _name("wxtuning serve")
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _server(names: set[str], key: Key, authority: x509.Certificate) -> x509.CertificateBuilder:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())  # type: ignore[arg-type]
    return (
        x509.CertificateBuilder(authority.subject, _name("wxtuning server"), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: Key, at: datetime, days: int) -> x509.Certificate:
    # A day back, for callers whose clock is behind.
    dated = builder.not_valid_before(at - timedelta(days=1)).not_valid_after(at + timedelta(days=days))
    return dated.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())


def _is_good(files: Files, names: set[str], authority: x509.Certificate, at: datetime) -> bool:
    if not (files.certificate.exists() and files.key.exists()):
        return False
    found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        _is_fresh(found, at)
        and {_alternative(name) for name in names} <= set(alternatives)
        and found.public_key() == _key(files.key).public_key()
        and _is_signed_by(found, authority)
    )


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_fresh(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc - timedelta(days=RENEWED_DAYS)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as cause:
        raise WxTuningError(f"{name!r} is no host name: {cause}", hint="Give it in ASCII (punycode).") from cause


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key(file: Path) -> Key:
    found = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


def _bytes(key: Key) -> bytes:
    form, sealed = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, sealed)
