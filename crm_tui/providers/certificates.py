"""What speaks against a server's certificate, in a sentence, and what to do about it."""

from __future__ import annotations

import ssl

from crm_tui.providers.base import Misconfigured

# Results of OpenSSL's verification (X509_V_ERR_…).
_NOT_YET, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})


def untrusted(host: str, error: ssl.SSLCertVerificationError) -> Misconfigured:
    """Why a server is not trusted; nothing is sent to such a server."""
    if error.verify_code in _OTHER_NAME:
        return Misconfigured(
            f"The server's certificate is for another name than {host}.",
            fix="Set host to the name in the certificate, as the provider writes it.",
        )
    if error.verify_code == _EXPIRED:
        return Misconfigured(
            f"The certificate of {host} has expired.",
            fix="Ask whoever runs the server to renew it, and see that this computer's clock is right.",
        )
    if error.verify_code == _NOT_YET:
        return Misconfigured(
            f"The certificate of {host} is not valid yet.",
            fix="See that this computer's clock is right.",
        )
    if error.verify_code == _SELF_SIGNED:
        return Misconfigured(
            f"The certificate of {host} is signed by nobody but itself.",
            fix="If the server is your own, name the file of its certificate in the environment"
            " variable SSL_CERT_FILE.",
        )
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return Misconfigured(
            f"The certificate of {host} is signed by an authority this computer does not know.",
            fix="For a server with an authority of its own, name the file of that authority's"
            " certificate in the environment variable SSL_CERT_FILE.",
        )
    return Misconfigured(
        f"The certificate of {host} is not to be trusted: {error.verify_message}.",
        fix="Ask whoever runs the server.",
    )
