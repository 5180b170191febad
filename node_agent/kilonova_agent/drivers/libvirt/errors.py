"""Which of libvirt's errors are answers.

An answer says what the hypervisor refused. A connection that broke says
nothing: the call may have been carried out to its end, and a guest may run.
"""

import libvirt


def is_connection_error(error: libvirt.libvirtError) -> bool:
    """Tell whether the error may be of the way to libvirt.

    It may also be of libvirt's own way to another daemon: ``check_answered``
    tells the two apart.
    """
    return error.get_error_code() in {
        libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN,
        libvirt.VIR_ERR_RPC,
    } or error.get_error_domain() in {
        libvirt.VIR_FROM_RPC,
        libvirt.VIR_FROM_REMOTE,
    }


def check_answered(connection: libvirt.virConnect, error: libvirt.libvirtError) -> None:
    """Return if libvirt refused a call, so that the call has had no effect.

    Raises:
        libvirt.libvirtError: the call waited in vain for another one, which may
            do the same, or the connection is broken and nothing is known.
    """
    if error.get_error_code() == libvirt.VIR_ERR_OPERATION_TIMEOUT:
        raise error
    connection.getLibVersion()
