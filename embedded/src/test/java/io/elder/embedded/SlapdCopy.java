package io.elder.embedded;

import com.unboundid.ldap.sdk.LDAPConnection;
import com.unboundid.ldap.sdk.LDAPException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A slapd of the test's own with the data of the one that {@code .ci/ldap-servers.sh} started: it may be changed and killed. */
final class SlapdCopy implements AutoCloseable {
    static final String BASE = "dc=example,dc=com";

    private final Path folder;
    private final int port;
    private Process server;

    private SlapdCopy(Path folder, int port) {
        this.folder = folder;
        this.port = port;
    }

    static SlapdCopy start(Path original, Path folder) throws Exception {
        Files.createDirectories(folder.resolve("db"));
        // Mostly a hole, so not with Files.copy.
        run(
                "cp",
                "--sparse=always",
                original.resolve("db/data.mdb").toString(),
                folder.resolve("db/data.mdb").toString());
        String conf = Files.readString(original.resolve("slapd.conf"))
                .replace(original.toString(), folder.toString())
                .replace("moduleload back_mdb", "moduleload back_mdb\nmoduleload ppolicy\nidletimeout 0");
        // The overlay brings pwdAccountLockedTime.
        Files.writeString(folder.resolve("slapd.conf"), conf + "\noverlay ppolicy\n");
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        SlapdCopy slapd = new SlapdCopy(folder, port);
        slapd.start();
        return slapd;
    }

    void start() throws Exception {
        server = new ProcessBuilder(
                        "/usr/sbin/slapd",
                        "-f",
                        folder.resolve("slapd.conf").toString(),
                        "-h",
                        "ldap://127.0.0.1:" + port,
                        "-d",
                        "0")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        for (int i = 0; ; i++) {
            try (LDAPConnection unused = administrator()) {
                return;
            } catch (LDAPException e) {
                if (i == 100) {
                    throw new IOException("slapd did not come up: " + Files.readString(folder.resolve("log")), e);
                }
                TimeUnit.MILLISECONDS.sleep(100);
            }
        }
    }

    /** As {@code kill -9} does. */
    void kill() {
        server.destroyForcibly();
        server.onExit().join();
    }

    LDAPConnection administrator() throws LDAPException {
        return new LDAPConnection("127.0.0.1", port, "cn=admin," + BASE, "admin-secret");
    }

    int port() {
        return port;
    }

    @Override
    public void close() {
        kill();
    }

    private static void run(String... command) throws Exception {
        int result = new ProcessBuilder(command).inheritIO().start().waitFor();
        if (result != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + result);
        }
    }
}
