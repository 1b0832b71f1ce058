package io.elder.fetch;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;

/** Objects of a parent row, until its children are read: in memory while they are few, in a file when they are many. */
final class Parents implements AutoCloseable {
    static final int MOST_IN_MEMORY = 4 << 20;

    private static final int BUFFER = 64 << 10;

    private final int mostInMemory;
    private ByteArrayOutputStream memory = new ByteArrayOutputStream();
    private FileChannel file;
    private Deflater deflater;
    private DeflaterOutputStream compressed;
    private DataOutputStream out = new DataOutputStream(memory);
    private long count;

    /** What is done with one of them. */
    @FunctionalInterface
    interface Visit {
        void accept(byte[] object) throws StoppedException, InterruptedException;
    }

    Parents() {
        this(MOST_IN_MEMORY);
    }

    Parents(int mostInMemory) {
        this.mostInMemory = mostInMemory;
    }

    /** Also by several threads at once. */
    synchronized void add(byte[] object) {
        try {
            if (file == null && memory.size() + object.length > mostInMemory) {
                moveIntoFile();
            }
            out.writeInt(object.length);
            out.write(object);
            count++;
        } catch (IOException e) {
            throw failed(e);
        }
    }

    private void moveIntoFile() throws IOException {
        Path path = Files.createTempFile("elder-parents-", null);
        file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        // Nobody else needs its name, and a process that dies leaves nothing behind.
        Files.delete(path);
        deflater = new Deflater(Deflater.BEST_SPEED);
        compressed = new DeflaterOutputStream(Channels.newOutputStream(file), deflater, BUFFER);
        out = new DataOutputStream(compressed);
        memory.writeTo(out);
        memory = new ByteArrayOutputStream(0);
    }

    /** All of them in the order that they were added; nothing is added from then on. */
    void each(Visit visit) throws StoppedException, InterruptedException {
        Inflater inflater = new Inflater();
        try {
            InputStream bytes = new ByteArrayInputStream(memory.toByteArray());
            if (file != null) {
                compressed.finish();
                file.position(0);
                bytes = new InflaterInputStream(Channels.newInputStream(file), inflater, BUFFER);
            }
            DataInputStream in = new DataInputStream(bytes);
            for (long i = 0; i < count; i++) {
                byte[] object = new byte[in.readInt()];
                in.readFully(object);
                visit.accept(object);
            }
        } catch (IOException e) {
            throw new StoppedException(StopReason.BAD_CONFIGURATION, failed(e).getMessage(), e);
        } finally {
            inflater.end();
        }
    }

    boolean isInMemory() {
        return file == null;
    }

    private static BadConfigurationException failed(IOException e) {
        return new BadConfigurationException("java.io.tmpdir: " + System.getProperty("java.io.tmpdir") + ": "
                + e.getMessage() + " (expected: a folder with room for what child rows are read for)");
    }

    @Override
    public void close() {
        if (file == null) {
            return;
        }
        deflater.end();
        try {
            file.close();
        } catch (IOException unused) {
            // It has had no name for long.
        }
    }
}
