package io.elder.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A point between two steps of a role, told by what it says to others: there it is killed.
 *
 * @param sight a new one for each time
 */
record MarkedPoint(String role, String where, Watched through, Supplier<Sight> sight) {
    /** If it has nothing to say for so long, it is killed all the same. */
    private static final long SECONDS = 15;

    private static final int END_TRANSACTION = 26;

    /** What is said on a network. */
    record Watched(Link link) {}

    /** Whether the point has come, and whether the piece that tells so is still to arrive. */
    enum Seen {
        NOT_YET,
        HERE,
        AFTER_THIS
    }

    /** Looks for a point. Only one connection is looked at at a time. */
    interface Sight {
        Seen look(boolean isAnswer, byte[] data, int length);
    }

    void killAndRestart(RoleProcesses roles) throws IOException, InterruptedException {
        CountDownLatch dead = new CountDownLatch(1);
        Sight eye = sight.get();
        through.link().tap((isAnswer, data, length) -> {
            synchronized (eye) {
                if (dead.getCount() == 0) {
                    return true;
                }
                Seen seen = eye.look(isAnswer, data, length);
                if (seen == Seen.HERE) {
                    kill(roles);
                    dead.countDown();
                } else if (seen == Seen.AFTER_THIS) {
                    dead.countDown();
                }
                return seen != Seen.NOT_YET;
            }
        });
        // After a piece that is to arrive, it lives as long as this thread takes to wake up.
        boolean came = dead.await(SECONDS, TimeUnit.SECONDS);
        through.link().tap(null);
        if (!came) {
            throw new PointNotSeen();
        }
        roles.kill(role);
        roles.restart(role);
    }

    /** Nothing was said that tells of the point; nothing was killed. */
    static final class PointNotSeen extends IOException {
        private static final long serialVersionUID = 1;

        PointNotSeen() {
            super("not seen within " + SECONDS + " s");
        }
    }

    private void kill(RoleProcesses roles) throws IOException {
        try {
            roles.kill(role);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while " + role + " was killed", e);
        }
    }

    /** Okta has made a change and is about to say so. */
    static Supplier<Sight> answerToChange() {
        return () -> (isAnswer, data, length) ->
                isAnswer && startsWith(data, length, "HTTP/1.1 204") ? Seen.HERE : Seen.NOT_YET;
    }

    /** PostgreSQL has committed and is about to say so. */
    static Supplier<Sight> committed() {
        byte[] tag = "COMMIT\0".getBytes(StandardCharsets.US_ASCII);
        return () -> (isAnswer, data, length) -> isAnswer && contains(data, length, tag) ? Seen.HERE : Seen.NOT_YET;
    }

    /** A client has asked the broker to commit, and dies before it hears whether that was done. */
    static Supplier<Sight> endOfTransaction(String client) {
        // Size, key of the request, its version, its number, the client.
        return () -> (isAnswer, data, length) -> !isAnswer
                        && length > 14
                        && data[4] == 0
                        && data[5] == END_TRANSACTION
                        && new String(data, 14, length - 14, StandardCharsets.ISO_8859_1).startsWith(client)
                ? Seen.HERE
                : Seen.NOT_YET;
    }

    /** The answer about the last group's members goes out; what is left to do is to say that all was read. */
    static Supplier<Sight> lastPage(int groups) {
        return () -> new Sight() {
            private int asked = -1;
            private int answered;

            @Override
            public Seen look(boolean isAnswer, byte[] data, int length) {
                if (!isAnswer && startsWith(data, length, "GET /api/v1/groups?")) {
                    asked = 0;
                    answered = -1;
                } else if (!isAnswer && asked >= 0 && startsWith(data, length, "GET /api/v1/groups/")) {
                    asked++;
                } else if (isAnswer && asked >= 0 && startsWith(data, length, "HTTP/1.1 ")) {
                    answered++;
                }
                return asked >= groups && answered >= groups ? Seen.AFTER_THIS : Seen.NOT_YET;
            }
        };
    }

    private static boolean startsWith(byte[] data, int length, String text) {
        return length >= text.length() && new String(data, 0, text.length(), StandardCharsets.ISO_8859_1).equals(text);
    }

    private static boolean contains(byte[] data, int length, byte[] wanted) {
        for (int at = 0; at + wanted.length <= length; at++) {
            int same = 0;
            while (same < wanted.length && data[at + same] == wanted[same]) {
                same++;
            }
            if (same == wanted.length) {
                return true;
            }
        }
        return false;
    }

    @Override
    public String toString() {
        return role + " killed " + where;
    }
}
