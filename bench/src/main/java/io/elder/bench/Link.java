package io.elder.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** A network between clients and a port of this machine, which can be cut, slow or silent. */
final class Link implements AutoCloseable {
    /** How the network is. */
    enum State {
        FINE,
        /** Small pieces, each a little late. */
        SLOW,
        /** Connections stay open, and nothing passes. */
        SILENT,
        /** Connections are reset, and so are new ones. */
        CUT,
        /** Connections are reset, and nobody listens for new ones. */
        REFUSED
    }

    /** Looks at what passes. What it does is done before the piece goes on. */
    interface Tap {
        /** Says whether this was what it waited for: then it is taken away. */
        boolean see(boolean isAnswer, byte[] data, int length) throws IOException;
    }

    private static final int PIECE = 1400;
    private static final long LATE_MILLIS = 4;
    private static final int BUFFER = 64 * 1024;

    private ServerSocket listener;
    private Thread accepting;
    private final int port;
    private final int target;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private volatile State state = State.FINE;
    private final AtomicReference<Tap> tap = new AtomicReference<>();

    private Link(int target) throws IOException {
        this.target = target;
        listen(0);
        this.port = listener.getLocalPort();
    }

    /** From a free port to this one. */
    static Link to(int target) throws IOException {
        return new Link(target);
    }

    int port() {
        return port;
    }

    void be(State wanted) throws IOException {
        lock.lock();
        try {
            if (wanted == State.REFUSED) {
                listener.close();
                // While it still accepts, the port is not closed.
                accepting.join();
            } else if (state == State.REFUSED) {
                listen(port);
            }
            state = wanted;
            changed.signalAll();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
        if (wanted == State.CUT || wanted == State.REFUSED) {
            open.forEach(Link::reset);
        }
    }

    /** One at a time; null takes it away. */
    void tap(Tap wanted) {
        tap.set(wanted);
    }

    @Override
    public void close() throws IOException {
        be(State.REFUSED);
    }

    private void listen(int at) throws IOException {
        listener = new ServerSocket(at, 100, InetAddress.getLoopbackAddress());
        ServerSocket own = listener;
        accepting = Thread.ofVirtual().start(() -> accept(own));
    }

    private void accept(ServerSocket own) {
        while (!own.isClosed()) {
            try {
                Socket client = own.accept();
                open.add(client);
                Thread.ofVirtual().start(() -> serve(client));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(Socket client) {
        try (client;
                Socket server = new Socket()) {
            open.add(server);
            if (state == State.CUT || state == State.REFUSED) {
                reset(client);
                return;
            }
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
            server.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target), 5000);
            Thread answers = Thread.ofVirtual().start(() -> pass(server, client, true));
            pass(client, server, false);
            answers.join();
        } catch (IOException e) {
            // Nobody is there: the client sees its connection end.
            reset(client);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open.remove(client);
            open.removeIf(Socket::isClosed);
        }
    }

    private void pass(Socket from, Socket to, boolean isAnswer) {
        byte[] buffer = new byte[BUFFER];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                awaitVoice();
                Tap eye = tap.get();
                if (eye != null && eye.see(isAnswer, buffer, read)) {
                    tap.compareAndSet(eye, null);
                }
                if (state == State.SLOW) {
                    for (int at = 0; at < read; at += PIECE) {
                        Thread.sleep(LATE_MILLIS);
                        out.write(buffer, at, Math.min(PIECE, read - at));
                    }
                } else {
                    out.write(buffer, 0, read);
                }
            }
            to.shutdownOutput();
        } catch (IOException e) {
            reset(from);
            reset(to);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitVoice() throws InterruptedException {
        lock.lock();
        try {
            while (state == State.SILENT) {
                changed.await();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Closes without a farewell: the other side sees a reset. */
    private static void reset(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
            socket.close();
        } catch (IOException e) {
            // It is closed.
        }
    }
}
