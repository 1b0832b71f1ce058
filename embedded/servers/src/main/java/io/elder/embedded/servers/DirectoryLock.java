package io.elder.embedded.servers;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Holds a data directory for one live process; the operating system gives it back when that process dies. */
final class DirectoryLock implements AutoCloseable {
    private final FileChannel channel;

    private DirectoryLock(FileChannel channel) {
        this.channel = channel;
    }

    static DirectoryLock acquire(Path directory, String owner) {
        FileChannel channel = null;
        try {
            Files.createDirectories(directory);
            channel = FileChannel.open(
                    directory.resolve("in-use.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return new DirectoryLock(channel);
            }
        } catch (OverlappingFileLockException heldInThisProcess) {
            // Reported below, as for any other holder.
        } catch (IOException e) {
            throw new ServerStartException(
                    owner + ": cannot use the directory " + directory + ": " + e.getMessage(), e);
        }
        closeQuietly(channel);
        throw new ServerStartException(owner + ": the directory " + directory
                + " is in use by another running process (expected: one process per data directory)");
    }

    private static void closeQuietly(FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException ignored) {
            // The lock was not ours; nothing depends on this close.
        }
    }

    @Override
    public void close() {
        closeQuietly(channel);
    }
}
