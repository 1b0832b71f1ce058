package io.elder.embedded;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** Passes TCP on to a port of this machine until a connection that asked for something has answered enough. */
final class BreakingProxy implements AutoCloseable {
    /** What to do when a client's request holds this text and this many bytes of answer to it have passed. */
    private record Break(String request, long bytes, Runnable action) {}

    private final ServerSocket listener;
    private final int target;
    private volatile Break planned;

    private BreakingProxy(ServerSocket listener, int target) {
        this.listener = listener;
        this.target = target;
    }

    static BreakingProxy to(int target) throws IOException {
        BreakingProxy proxy = new BreakingProxy(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), target);
        Thread.ofVirtual().start(proxy::accept);
        return proxy;
    }

    int port() {
        return listener.getLocalPort();
    }

    /** The connection is closed after the action; so is every later one that asks for the same. */
    void breakAt(String request, long bytes, Runnable action) {
        planned = new Break(request, bytes, action);
    }

    void mend() {
        planned = null;
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                Thread.ofVirtual().start(() -> serve(client));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket client) {
        try (client;
                Socket server = new Socket(InetAddress.getLoopbackAddress(), target)) {
            Pass pass = new Pass(client, server);
            Thread answers = Thread.ofVirtual().start(pass::answers);
            pass.requests();
            server.close();
            answers.join();
        } catch (IOException e) {
            // The server is down: so is the way to it.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private final class Pass {
        private final Socket client;
        private final Socket server;
        private volatile boolean hasAsked;

        Pass(Socket client, Socket server) {
            this.client = client;
            this.server = server;
        }

        void requests() {
            try {
                byte[] buffer = new byte[65536];
                InputStream from = client.getInputStream();
                OutputStream to = server.getOutputStream();
                for (int n = from.read(buffer); n >= 0; n = from.read(buffer)) {
                    Break plan = planned;
                    if (plan != null
                            && new String(buffer, 0, n, StandardCharsets.ISO_8859_1).contains(plan.request())) {
                        hasAsked = true;
                    }
                    to.write(buffer, 0, n);
                }
            } catch (IOException e) {
                // One of the two has hung up; serve() closes the other.
            }
        }

        void answers() {
            long passed = 0;
            try (client) {
                byte[] buffer = new byte[16384];
                InputStream from = server.getInputStream();
                OutputStream to = client.getOutputStream();
                for (int n = from.read(buffer); n >= 0; n = from.read(buffer)) {
                    Break plan = planned;
                    if (plan != null && hasAsked) {
                        passed += n;
                        if (passed > plan.bytes()) {
                            plan.action().run();
                            return;
                        }
                    }
                    to.write(buffer, 0, n);
                }
            } catch (IOException e) {
                // As above.
            }
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
