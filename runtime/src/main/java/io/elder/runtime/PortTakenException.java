package io.elder.runtime;

/** A server could not listen where a setting says; the message names the setting. */
public final class PortTakenException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PortTakenException(String setting, String host, int port, Throwable cause) {
        super(
                setting + ": can't listen on " + host + ":" + port
                        + " (expected: an address of this machine and a port that is free; set " + setting
                        + " to another, or stop what listens there)",
                cause);
    }
}
