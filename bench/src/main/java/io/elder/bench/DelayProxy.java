package io.elder.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.LockSupport;

/** Passes TCP on to a port of this machine as if it were a round trip away. Bandwidth is not limited. */
final class DelayProxy implements AutoCloseable {
    private record Chunk(ByteBuffer bytes, long due) {
        boolean isEnd() {
            return bytes.capacity() == 0;
        }
    }

    private static final Chunk END = new Chunk(ByteBuffer.allocate(0), 0);

    private final ServerSocket listener;
    private final int target;
    private final long oneWayNanos;

    private DelayProxy(ServerSocket listener, int target, long oneWayNanos) {
        this.listener = listener;
        this.target = target;
        this.oneWayNanos = oneWayNanos;
    }

    static DelayProxy to(int target, Duration roundTrip) throws IOException {
        DelayProxy proxy = new DelayProxy(
                new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), target, roundTrip.toNanos() / 2);
        Thread.ofPlatform().daemon().name("delay-accept").start(proxy::accept);
        return proxy;
    }

    int port() {
        return listener.getLocalPort();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                Socket server = new Socket(InetAddress.getLoopbackAddress(), target);
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
                pass(client, server);
                pass(server, client);
            } catch (IOException e) {
                // Closed, or the server is down: so is the way to it.
            }
        }
    }

    /** What is read at one moment is written half a round trip later, whatever was read meanwhile. */
    private void pass(Socket from, Socket to) {
        BlockingQueue<Chunk> way = new ArrayBlockingQueue<>(4096);
        Thread.ofPlatform().daemon().name("delay-in").start(() -> {
            try (from) {
                InputStream in = from.getInputStream();
                byte[] buffer = new byte[65536];
                for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                    way.put(new Chunk(ByteBuffer.wrap(Arrays.copyOf(buffer, n)), System.nanoTime() + oneWayNanos));
                }
            } catch (IOException e) {
                // One of the two has hung up; the other is told below.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                boolean unused = way.offer(END);
            }
        });
        Thread.ofPlatform().daemon().name("delay-out").start(() -> {
            try (to) {
                OutputStream out = to.getOutputStream();
                for (Chunk chunk = way.take(); !chunk.isEnd(); chunk = way.take()) {
                    for (long wait = chunk.due() - System.nanoTime();
                            wait > 0;
                            wait = chunk.due() - System.nanoTime()) {
                        LockSupport.parkNanos(wait);
                    }
                    out.write(chunk.bytes().array());
                }
            } catch (IOException e) {
                // As above.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
