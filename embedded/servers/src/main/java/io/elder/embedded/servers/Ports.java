package io.elder.embedded.servers;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;

/** TCP ports on the loopback interface. */
final class Ports {
    private Ports() {}

    /** The wanted port, or a free one if 0 is wanted. A port that somebody else listens on is refused. */
    static int claim(int wanted, String owner, String setting) {
        try (ServerSocket socket = new ServerSocket()) {
            // As the servers themselves do: connections of a previous process in TIME_WAIT do not take the port.
            socket.setReuseAddress(wanted != 0);
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), wanted));
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new ServerStartException(
                    owner + ": port " + wanted + " is taken by another process (expected: a free port; set " + setting
                            + " to another, or stop what listens there)",
                    e);
        }
    }
}
